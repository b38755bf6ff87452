package statusz

import (
	"cmp"
	"slices"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// maxFlights is how many calls in flight are shown one by one.
const maxFlights = 100

// flightView is a call in flight.
type flightView struct {
	Age     span   `json:"age_seconds"`
	Stage   string `json:"stage"`
	InStage span   `json:"stage_seconds"`
	Op      string `json:"operation"`
	Summary string `json:"summary"`
	Text    string `json:"text,omitempty"`
	Name    string `json:"name,omitempty"`
	Target  string `json:"target"`
	Attempt int    `json:"attempt"`
	Paused  span   `json:"paused_seconds"`
	Queued  span   `json:"queued_seconds"`
	Nested  bool   `json:"in_transaction"`
	Depth   int    `json:"depth"`
}

// flightViews describes copies of entries: the oldest first, each followed by
// the calls that it is waiting for.
func (p *Page) flightViews(flying []flight, now time.Duration) []flightView {
	out := []flightView{}
	slices.SortFunc(flying, func(a, b flight) int { return cmp.Compare(a.began, b.began) })
	known := map[*sp.Call]bool{}
	for i := range flying {
		known[flying[i].call] = true
	}
	below := map[*sp.Call][]*flight{} // by the call above; nil if that is not shown
	for i := range flying {
		f, above := &flying[i], flying[i].parent
		if !known[above] {
			above = nil
		}
		below[above] = append(below[above], f)
	}
	var list func(above *sp.Call, depth int)
	list = func(above *sp.Call, depth int) {
		for _, f := range below[above] {
			if len(out) == maxFlights {
				return
			}
			out = append(out, p.flightView(f, depth, now))
			list(f.call, depth+1)
		}
	}
	list(nil, 0)
	return out
}

// flightView describes a copy of an entry.
func (p *Page) flightView(f *flight, depth int, now time.Duration) flightView {
	v := flightView{
		Age: span(now - f.began), Stage: f.stage.String(), InStage: span(now - f.since),
		Op: f.op.String(), Summary: f.op.String(), Name: f.operation, Target: f.database.name(),
		Attempt: f.attempts + 1, Paused: span(f.paused), Queued: span(f.queued), Nested: f.inTx || f.inUnit, Depth: depth,
	}
	if f.stage == stageBackoff && now-f.since > f.pause {
		// The pause is over, and the next attempt has not come to the driver yet.
		v.Stage, v.InStage = p.beginning().String(), span(now-f.since-f.pause)
	}
	switch {
	case f.op == sp.OpTransaction && f.operation != "":
		v.Summary = unitName(f.operation)
		return v
	case f.text == "" || f.op.Transactional():
		return v
	}
	text := telemetry.Cut(f.text, maxRead)
	if s := sqltext.Summary(f.database.dialect, text); s != "" {
		v.Summary = s
	}
	if p.text {
		v.Text = telemetry.Cut(sqltext.Sanitize(f.database.dialect, text), maxShown)
	}
	return v
}

// flightRow is a row of the table of calls in flight.
type flightRow struct {
	flightView
	Slow  bool
	Steps []struct{} // from the left
}

// shownFlights is how many calls in flight are shown at once; the others are
// folded away, so that a jam does not push everything else off the screen.
const shownFlights = 12

// flightRows makes the rows that are shown, and those that are folded away.
func flightRows(s *snapshot) (rows, more []flightRow) {
	for _, c := range s.Calls {
		rows = append(rows, flightRow{c, c.Age >= s.SlowAfter, make([]struct{}, max(c.Depth-1, 0))})
	}
	if len(rows) <= shownFlights+3 { // a few more are not worth folding
		return rows, nil
	}
	return rows[:shownFlights], rows[shownFlights:]
}

// stageCount is how many calls are in a stage, of those shown one by one.
type stageCount struct {
	Stage string
	Count int
}

// stageCounts counts the calls by stage, the most frequent first.
func stageCounts(s *snapshot) (counts []stageCount) {
	numbers := map[string]int{}
	for _, c := range s.Calls {
		numbers[c.Stage]++
	}
	for stage, n := range numbers {
		counts = append(counts, stageCount{stage, n})
	}
	slices.SortFunc(counts, func(a, b stageCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Stage, b.Stage))
	})
	return counts
}
