package breaker

import (
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// phase is the time a circuit spends in one state. It does not change, but for
// the counts in its window; the next phase takes its place. An outcome counts
// only in the phase in which its call was admitted, so that what was begun
// before an outage can't speak for what came after.
type phase struct {
	state  State
	window *window       // counts the outcomes; nil in states that count none
	since  time.Time     // for people; until is for the circuit
	until  time.Duration // when an open circuit may be probed, on the clock of the config
	cause  fault.Class   // of the failure that opened the circuit last
	opened time.Duration // when the phase began, on the clock of the config
	began  time.Duration // when the circuit ceased to be closed, on the clock of the config
}

// shut reports whether the phase refuses calls at the time now.
func (p *phase) shut(now time.Duration) bool {
	return p.state == StateForcedOpen || p.state == StateOpen && now <= p.until
}

// shown returns the state as it is told to others: an open circuit whose time
// is over is half-open, though only the next call makes it so.
func (p *phase) shown(now time.Duration) State {
	if p.state == StateOpen && now > p.until {
		return StateHalfOpen
	}
	return p.state
}

// wait returns the time until an open circuit may be probed, or 0.
func (p *phase) wait(now time.Duration) time.Duration {
	if p.state != StateOpen {
		return 0
	}
	return max(p.until-now, 0)
}
