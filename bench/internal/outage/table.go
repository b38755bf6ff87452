package outage

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteTable writes a report as a table in Markdown.
func (r Report) WriteTable(w io.Writer) error {
	out := new(strings.Builder)
	fmt.Fprintf(out, "### %s: %s\n\n", r.Scenario.Name, r.Scenario.Title)
	watched := r.Scenario.Watched != ""
	out.WriteString("| | calls | ok | failed | refused | ok/s in it |")
	if watched {
		fmt.Fprintf(out, " %s, ok in it | their p99 before, in it |", r.Scenario.Watched)
	}
	if r.Scenario.Steady {
		out.WriteString(" of them p50, p99 | limits at the end |")
	}
	out.WriteString(" failed, refused after | healthy after (worst) | p50 | p99 | connects/s in it |\n| --- |")
	out.WriteString(strings.Repeat(" ---: |", 10+2*count(watched)+2*count(r.Scenario.Steady)) + "\n")
	for _, row := range r.Rows {
		f := row.Figures
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %.0f |", row.Subject, f.Calls, f.OK, f.Failed, f.Refused, f.Goodput)
		if watched {
			fmt.Fprintf(out, " %s | %s, %s |", percent(f.Watched), short(f.Idle99), short(f.Watched99))
		}
		if r.Scenario.Steady {
			fmt.Fprintf(out, " %s, %s | %s |", short(f.Steady50), short(f.Steady99), strings.Trim(fmt.Sprint(f.Limits), "[]"))
		}
		fmt.Fprintf(out, " %s, %s | %s (%s) | %s | %s | %.1f |\n", percent(f.FailedAfter), percent(f.RefusedAfter),
			r.healthy(f.Healthy), r.healthy(f.Worst), short(f.P50), short(f.P99), f.Dials)
	}
	_, err := io.WriteString(w, out.String()+"\n")
	return err
}

// healthy says when a subject was healthy.
func (r Report) healthy(d time.Duration) string {
	if d == Never {
		return "> " + short(r.Options.After)
	}
	return short(max(d, 0))
}

func percent(p float64) string {
	switch {
	case p < 0:
		return "–"
	case p > 0 && p < 0.0995, p > 0.9905 && p < 1:
		return fmt.Sprintf("%.1f %%", 100*p)
	}
	return fmt.Sprintf("%.0f %%", 100*p)
}

// short writes a time with two digits or so.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
