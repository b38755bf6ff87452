package spantree

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// barWidth is the width of a root's bar, in characters.
const barWidth = 24

// line is one line of the print: a span, or an event of one.
type line struct {
	label string
	start time.Duration // since the root began
	took  time.Duration // of a span
	bar   string        // of a span
	note  string
}

// Print writes the trees of all spans that have ended, one after the other.
func (c *Collector) Print(w io.Writer) error {
	for i, root := range c.roots() {
		var lines []line
		root.appendLines(&lines, root.span, "", "")
		if err := write(w, lines, i > 0); err != nil {
			return fmt.Errorf("spantree: print: %w", err)
		}
	}
	return nil
}

// appendLines adds the lines of n and of what happened in it, in the order of
// time. first stands before n's own line, rest before those below.
func (n *node) appendLines(lines *[]line, root sdktrace.ReadOnlySpan, first, rest string) {
	s := n.span
	*lines = append(*lines, line{
		label: first + s.Name(),
		start: s.StartTime().Sub(root.StartTime()),
		took:  s.EndTime().Sub(s.StartTime()),
		bar:   bar(root, s),
		note:  failure(s),
	})
	children, events := n.children, s.Events()
	for len(children)+len(events) > 0 {
		branch, below := "├─ ", "│  "
		if len(children)+len(events) == 1 {
			branch, below = "└─ ", "   "
		}
		if len(events) == 0 || len(children) > 0 && children[0].span.StartTime().Before(events[0].Time) {
			children[0].appendLines(lines, root, rest+branch, rest+below)
			children = children[1:]
			continue
		}
		*lines = append(*lines, eventLine(root, events[0], rest+branch))
		events = events[1:]
	}
}

func eventLine(root sdktrace.ReadOnlySpan, e sdktrace.Event, prefix string) line {
	return line{
		label: prefix + "• " + e.Name,
		start: e.Time.Sub(root.StartTime()),
		note:  words(e.Attributes),
	}
}

// failure returns the mark of a span that failed, and how.
func failure(s sdktrace.ReadOnlySpan) string {
	if s.Status().Code != codes.Error {
		return ""
	}
	return strings.TrimSpace("✗ " + s.Status().Description)
}

// words returns attributes as key=value, each key without its namespace, and
// numbers to six places.
func words(attrs []attribute.KeyValue) string {
	out := make([]string, 0, len(attrs))
	for _, a := range attrs {
		key := string(a.Key)
		value := a.Value.String()
		if a.Value.Type() == attribute.FLOAT64 {
			value = strconv.FormatFloat(math.Round(a.Value.AsFloat64()*1e6)/1e6, 'f', -1, 64)
		}
		out = append(out, key[strings.LastIndexByte(key, '.')+1:]+"="+value)
	}
	return strings.Join(out, " ")
}

// bar shows when a span was at work, as a part of its root's time.
func bar(root, s sdktrace.ReadOnlySpan) string {
	whole := root.EndTime().Sub(root.StartTime())
	if whole <= 0 {
		return strings.Repeat("█", barWidth)
	}
	cell := func(t time.Time) int {
		at := float64(t.Sub(root.StartTime())) / float64(whole)
		return min(max(int(at*barWidth), 0), barWidth)
	}
	from := min(cell(s.StartTime()), barWidth-1)
	to := max(cell(s.EndTime()), from+1) // a short span shows, too
	return strings.Repeat("·", from) + strings.Repeat("█", to-from) + strings.Repeat("·", barWidth-to)
}

// write writes lines in columns, after an empty line if apart is true.
func write(w io.Writer, lines []line, apart bool) error {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l.label))
	}
	var b strings.Builder
	if apart {
		b.WriteByte('\n')
	}
	for _, l := range lines {
		text := fmt.Sprintf("%s %10s", pad(l.label, width), ms(l.start))
		if l.bar != "" {
			text += fmt.Sprintf(" %10s  %s", ms(l.took), l.bar)
		}
		if l.note != "" {
			text += "  " + l.note
		}
		b.WriteString(text + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func ms(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds()*1000, 'f', 2, 64) + " ms"
}

// pad fills s up with spaces to a width in characters.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}
