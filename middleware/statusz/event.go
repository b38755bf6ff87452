package statusz

import (
	"cmp"
	"maps"
	"slices"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// maxEvents is how many sorts of events a stripe counts.
const maxEvents = 64

// eventKey is a sort of events.
type eventKey struct {
	kind   sp.EventKind
	detail string // the event's, or what its error is
}

// keyOf returns the sort of an event. The error is read without the call, whose
// verdict is not to be asked while a fork of it is at work.
func keyOf(e sp.Event) eventKey {
	key := eventKey{e.Kind, e.Detail}
	if key.detail == "" && e.Err != nil {
		class := fault.Of(e.Err, fault.Situation{}).Class
		key.detail = class.String()
		if class == fault.ClassUnknown {
			key.detail = telemetry.ErrorType(e.Err, fault.Code(e.Err), class)
		}
	}
	return key
}

// tally counts events of a sort, in two windows as a [series] does.
type tally struct {
	number int64 // of the window at work
	parts  [2]count
	last   time.Duration
}

// count is how many events there were, and the delays they told of.
type count struct {
	n        int64
	sum, max time.Duration
}

func (c *count) add(o count) {
	c.n += o.n
	c.sum += o.sum
	c.max = max(c.max, o.max)
}

// turn begins the window that now is in, if it is not the one at work.
func (t *tally) turn(now time.Duration) {
	number := int64(now / window)
	switch {
	case number <= t.number: // now was read before another did this
		return
	case number == t.number+1:
		t.parts[number%2] = count{}
	default:
		t.parts = [2]count{}
	}
	t.number = number
}

// tally counts an event. The caller holds mu.
func (s *stripe) tally(key eventKey, now, delay time.Duration) {
	t := s.events[key]
	if t == nil {
		if len(s.events) >= maxEvents && !s.forget(now) {
			return
		}
		t = &tally{number: int64(now / window)}
		s.events[key] = t
	}
	t.turn(now)
	t.parts[t.number%2].add(count{1, delay, delay})
	t.last = now
}

// forget drops the sorts of events that have nothing left to show, and reports
// whether there were any. The caller holds mu.
func (s *stripe) forget(now time.Duration) bool {
	before := len(s.events)
	maps.DeleteFunc(s.events, func(_ eventKey, t *tally) bool { return now-t.last > 2*window })
	return len(s.events) < before
}

// eventSum is what all stripes have counted of a sort of events.
type eventSum struct {
	count
	last time.Duration
}

func (e *eventSum) add(t *tally) {
	e.count.add(t.parts[0])
	e.count.add(t.parts[1])
	e.last = max(e.last, t.last)
}

// eventView is a sort of events.
type eventView struct {
	Kind   sp.EventKind `json:"kind"`
	Detail string       `json:"detail,omitempty"`
	Count  int64        `json:"count"`
	Mean   span         `json:"mean_delay_seconds"`
	Max    span         `json:"max_delay_seconds"`
	Ago    span         `json:"last_seconds_ago"`
}

// eventViews lists the events, the most frequent first.
func eventViews(all map[eventKey]*eventSum, now time.Duration) []eventView {
	out := []eventView{}
	for key, e := range all {
		if e.n > 0 {
			out = append(out, eventView{key.kind, key.detail, e.n, span(e.sum) / span(e.n), span(e.max), span(now - e.last)})
		}
	}
	slices.SortFunc(out, func(a, b eventView) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Detail, b.Detail))
	})
	return out
}
