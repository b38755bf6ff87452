package statusz

import "time"

// snapshot is what a page has to show at one moment. It is the JSON document,
// whose keys docs/statusz.md explains.
type snapshot struct {
	Title      string         `json:"title"`
	Time       time.Time      `json:"time"`
	Up         span           `json:"up_seconds"`
	Window     span           `json:"window_seconds"`
	SlowAfter  span           `json:"slow_threshold_seconds"`
	Statements counts         `json:"statements"`
	Traffic    []tickView     `json:"traffic"`
	InFlight   int            `json:"in_flight"`
	Calls      []flightView   `json:"calls"`
	Breakers   []circuitView  `json:"breakers"`
	Changes    []changeView   `json:"breaker_changes"`
	Failures   []incidentView `json:"failures"`
	Slow       []incidentView `json:"slow"`
	Pools      []poolView     `json:"pools"`
	Limits     []limitView    `json:"limits"`
	Adaptive   []adaptiveView `json:"adaptive_limits"`
	Budgets    []budgetView   `json:"retry_budgets"`
	Overall    latencyView    `json:"overall"`
	Latencies  []latencyView  `json:"latencies"`
	Events     []eventView    `json:"events"`
}

// counts are numbers of statements.
type counts struct {
	Calls    int64 `json:"calls"`
	Failed   int64 `json:"failed"`
	Canceled int64 `json:"canceled"`
}

func (c *counts) add(t *tick) {
	c.Calls += t.calls
	c.Failed += t.failed
	c.Canceled += t.canceled
}

// tickView is what was counted in an interval.
type tickView struct {
	Start time.Time `json:"start"`
	counts
}

// snapshot takes a snapshot.
func (p *Page) snapshot() *snapshot {
	now := p.clock()
	s := &snapshot{
		Title: p.title, Time: p.at(now), Up: span(now), Window: span(covered(now)), SlowAfter: span(p.slowAfter),
		Pools: p.poolViews(), Limits: p.limitViews(), Adaptive: p.adaptiveViews(), Budgets: p.budgetViews(), Breakers: p.circuitViews(now), Changes: p.changeViews(now),
	}
	p.survey(s, now)
	s.Failures, s.Slow = p.incidentViews(&p.failures, now), p.incidentViews(&p.slow, now)
	s.Overall, s.Latencies = p.latencyViews(now)
	return s
}

// at returns the time of day.
func (p *Page) at(d time.Duration) time.Time { return p.began.Add(d).Round(0).UTC() }

// name returns the name of the database.
func (d *database) name() string { return d.target.Load().String() }

// survey reads what the stripes hold.
func (p *Page) survey(s *snapshot, now time.Duration) {
	var flying []flight
	var slots [ticks]tick
	events := map[eventKey]*eventSum{}
	current := int64(now / interval)
	p.eachStripe(func(st *stripe) {
		for f := st.active; f != nil; f = f.next {
			flying = append(flying, *f)
		}
		for i := range st.slots {
			if t := &st.slots[i]; t.number > current-ticks && t.number <= current {
				slots[i].merge(t)
			}
		}
		s.Statements.add(&st.total)
		for key, t := range st.events {
			t.turn(now)
			if events[key] == nil {
				events[key] = &eventSum{}
			}
			events[key].add(t)
		}
	})
	for n := max(current-ticks+1, 0); n <= current; n++ {
		v := tickView{Start: p.at(time.Duration(n) * interval)}
		v.add(&slots[n%ticks])
		s.Traffic = append(s.Traffic, v)
	}
	s.InFlight = len(flying)
	s.Calls = p.flightViews(flying, now)
	s.Events = eventViews(events, now)
}

// merge adds what another stripe has counted in the interval.
func (t *tick) merge(o *tick) {
	t.calls += o.calls
	t.failed += o.failed
	t.canceled += o.canceled
}
