package statusz

import (
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
	switch number - t.number {
	case 0:
		return
	case 1:
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
		if s.events == nil {
			s.events = map[eventKey]*tally{}
		}
		if len(s.events) >= maxEvents {
			return
		}
		t = &tally{number: int64(now / window)}
		s.events[key] = t
	}
	t.turn(now)
	t.parts[t.number%2].add(count{1, delay, delay})
	t.last = now
}
