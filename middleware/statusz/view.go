package statusz

import (
	"cmp"
	"maps"
	"slices"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// incidentView is a call that failed or was slow, and those like it.
type incidentView struct {
	Summary string    `json:"summary"`
	Text    string    `json:"text,omitempty"`
	Name    string    `json:"name,omitempty"`
	Target  string    `json:"target"`
	Error   string    `json:"error_type,omitempty"`
	Class   string    `json:"fault_class,omitempty"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Ago     span      `json:"last_seconds_ago"`
	Took    span      `json:"duration_seconds"`
	Worst   span      `json:"longest_seconds"`
	Attempt int       `json:"attempts"`
	Paused  span      `json:"paused_seconds"`
	Queued  span      `json:"queued_seconds"`
	Nested  bool      `json:"in_transaction"`
	Trace   string    `json:"trace_id,omitempty"`
}

func (p *Page) incidentViews(of *incidents, now time.Duration) []incidentView {
	out := []incidentView{}
	for _, i := range of.copy() {
		v := incidentView{
			Summary: i.name, Name: i.operation, Target: i.database.name(), Error: i.kind,
			Count: i.count, First: p.at(i.first), Last: p.at(i.last), Ago: span(now - i.last),
			Took: span(i.took), Worst: span(i.worst),
			Attempt: i.attempts + 1, Paused: span(i.paused), Queued: span(i.queued), Nested: i.nested,
		}
		if i.class != fault.ClassNone {
			v.Class = i.class.String()
		}
		if i.trace.id.IsValid() {
			v.Trace = i.trace.id.String()
		}
		if p.text {
			v.Text = i.text
		}
		out = append(out, v)
	}
	return out
}

// latencyView is how long calls took that are alike.
type latencyView struct {
	Summary   string       `json:"summary"`
	Target    string       `json:"target,omitempty"`
	Count     int64        `json:"count"`
	Failed    int64        `json:"failed"`
	Canceled  int64        `json:"canceled"`
	Total     span         `json:"total_seconds"`
	Mean      span         `json:"mean_seconds"`
	P50       span         `json:"p50_seconds"`
	P95       span         `json:"p95_seconds"`
	P99       span         `json:"p99_seconds"`
	Max       span         `json:"max_seconds"`
	Histogram []bucketView `json:"histogram"`
}

// bucketView is how many calls took no longer than a bound, and longer than the
// one before.
type bucketView struct {
	Upper span  `json:"le_seconds"`
	Count int64 `json:"count"`
}

// latencyViews returns the latencies of all statements, and of the calls that
// are alike, those first on which most time was spent.
func (p *Page) latencyViews(now time.Duration) (overall latencyView, out []latencyView) {
	out = []latencyView{}
	var all distribution
	for _, s := range p.databases.allSeries() {
		d := s.recent(now)
		if d.count == 0 {
			continue
		}
		if kindOf(s.op) != around {
			all.merge(&d)
		}
		v := d.view()
		v.Summary, v.Target = s.name, s.database.name()
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b latencyView) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Target, b.Target))
	})
	overall = all.view()
	overall.Summary = "all statements"
	return overall, out
}

func (d *distribution) view() latencyView {
	v := latencyView{
		Count: d.count, Failed: d.failed, Canceled: d.canceled, Total: span(d.sum), Mean: span(d.mean()), Max: span(d.max),
		P50: span(d.quantile(0.5)), P95: span(d.quantile(0.95)), P99: span(d.quantile(0.99)), Histogram: []bucketView{},
	}
	for b, n := range d.buckets {
		if n > 0 {
			v.Histogram = append(v.Histogram, bucketView{span(upper(b)), n})
		}
	}
	return v
}

// circuitView is a breaker's circuit.
type circuitView struct {
	Target     string     `json:"target"`
	State      string     `json:"state"`
	Since      *time.Time `json:"since,omitempty"`
	For        span       `json:"state_seconds"`
	RetryAfter span       `json:"retry_after_seconds"`
	Cause      string     `json:"cause,omitempty"`
	Requests   int64      `json:"requests"`
	Failures   int64      `json:"failures"`
}

// changeView is a change of a breaker's state.
type changeView struct {
	At     time.Time `json:"time"`
	Ago    span      `json:"seconds_ago"`
	Target string    `json:"target"`
	State  string    `json:"state"`
}

// changeViews returns the latest changes, the latest first.
func (p *Page) changeViews(now time.Duration) []changeView {
	out := []changeView{}
	for _, c := range p.changes.copy() {
		out = append(out, changeView{At: p.at(c.at), Ago: span(now - c.at), Target: c.database.name(), State: c.state})
	}
	return out
}

// circuitViews asks the breakers; without one it tells what calls have told.
func (p *Page) circuitViews(now time.Duration) []circuitView {
	out := []circuitView{}
	if len(p.circuits) == 0 {
		return p.toldCircuits(now)
	}
	for _, circuits := range p.circuits {
		for c := range circuits {
			v := circuitView{Target: c.Target.String(), State: c.State, RetryAfter: span(c.RetryAfter), Requests: c.Requests, Failures: c.Failures}
			if !c.Since.IsZero() {
				since := c.Since.UTC()
				v.Since, v.For = &since, span(time.Since(c.Since))
			}
			if c.Cause != fault.ClassNone {
				v.Cause = c.Cause.String()
			}
			out = append(out, v)
		}
	}
	return out
}

// toldCircuits returns the last state of each circuit that calls have told of.
func (p *Page) toldCircuits(now time.Duration) []circuitView {
	out := []circuitView{}
	told := map[*database]bool{}
	for _, c := range p.changes.copy() {
		if told[c.database] {
			continue
		}
		told[c.database] = true
		at := p.at(c.at)
		out = append(out, circuitView{Target: c.database.name(), State: c.state, Since: &at, For: span(now - c.at)})
	}
	slices.SortFunc(out, func(a, b circuitView) int { return cmp.Compare(a.Target, b.Target) })
	return out
}

// poolView is a pool of connections. What it does not tell is left out.
type poolView struct {
	Name     string `json:"name"`
	Used     *int64 `json:"used,omitempty"`
	Idle     *int64 `json:"idle,omitempty"`
	Max      *int64 `json:"max,omitempty"`
	Pending  *int64 `json:"pending,omitempty"`
	Timeouts *int64 `json:"timeouts,omitempty"`
}

func (p *Page) poolViews() []poolView {
	out := []poolView{}
	told := func(n int64) *int64 {
		if n == sp.UnknownCount {
			return nil
		}
		return &n
	}
	for _, pool := range p.pools {
		s := pool.stats()
		out = append(out, poolView{pool.name, told(s.Used), told(s.Idle), told(s.Max), told(s.Pending), told(s.Timeouts)})
	}
	return out
}

// limitView is a limit on concurrent calls.
type limitView struct {
	Name     string `json:"name,omitempty"`
	Limit    int    `json:"limit"`
	InUse    int    `json:"in_use"`
	Queue    int    `json:"queue"`
	Waiting  int    `json:"waiting"`
	Rejected int64  `json:"rejected"`
	Passed   int64  `json:"passed"`
}

func (p *Page) limitViews() []limitView {
	out := []limitView{}
	for _, stats := range p.limits {
		out = append(out, limitView(stats()))
	}
	return out
}

// budgetView is a retry budget's tokens for a database.
type budgetView struct {
	Target    string `json:"target"`
	Remaining int    `json:"remaining"`
	Capacity  int    `json:"capacity"`
}

func (p *Page) budgetViews() []budgetView {
	out := []budgetView{}
	if len(p.budgets) == 0 {
		return out
	}
	databases := slices.SortedFunc(maps.Values(*p.databases.known.Load()), func(a, b *database) int {
		return cmp.Compare(a.name(), b.name())
	})
	for _, b := range p.budgets {
		for _, d := range databases {
			out = append(out, budgetView{d.name(), b.remaining(d.target.Load()), b.capacity})
		}
	}
	return out
}
