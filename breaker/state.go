package breaker

import (
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// State is the state of a circuit. The zero value is [StateClosed].
type State uint8

const (
	// StateClosed lets calls through and counts them.
	StateClosed State = iota
	// StateHalfOpen lets a few calls through, to see whether the server is back.
	StateHalfOpen
	// StateOpen refuses calls.
	StateOpen
	// StateForcedOpen refuses calls until [Breaker.Reset].
	StateForcedOpen
	// StateForcedClosed lets calls through and counts them, but does not open,
	// until [Breaker.Reset].
	StateForcedClosed
	// StateDisabled lets calls through and counts none, until [Breaker.Reset].
	StateDisabled

	states = iota
)

var stateNames = [states]string{
	StateClosed:       "closed",
	StateHalfOpen:     "half_open",
	StateOpen:         "open",
	StateForcedOpen:   "forced_open",
	StateForcedClosed: "forced_closed",
	StateDisabled:     "disabled",
}

// String returns the state's name in lower case, words joined by underscores.
// It is the attribute of metrics and the detail of events.
func (s State) String() string {
	if s < states {
		return stateNames[s]
	}
	return "invalid"
}

// stateOf returns gobreaker's state as one of this package's.
func stateOf(s gobreaker.State) State {
	switch s {
	case gobreaker.StateHalfOpen:
		return StateHalfOpen
	case gobreaker.StateOpen:
		return StateOpen
	}
	return StateClosed
}

// Counts are the outcomes of calls in a circuit's window.
type Counts struct {
	// Successes is the number of calls that the server answered, possibly with
	// an error that is the caller's fault.
	Successes int64
	// Failures is the number of calls that failed because of the server.
	Failures int64
	// Excluded is the number of calls that say nothing about the server's
	// health.
	Excluded int64
	// Slow is the number of successes and failures that took at least the time
	// set by [WithSlowCalls]; 0 without that option.
	Slow int64
	// ConsecutiveFailures is the number of failures since the last success,
	// whether or not they are still in the window.
	ConsecutiveFailures int64
}

// Requests returns the number of calls that say something about the server's
// health: successes and failures.
func (c Counts) Requests() int64 { return c.Successes + c.Failures }

// Status is the state of a circuit at one moment.
type Status struct {
	// Target is the database; the zero Target for calls whose target is
	// unknown.
	Target sessionproxy.Target
	// State is the state. An open circuit whose time is over is reported as
	// half-open, although only the next call makes it so.
	State State
	// Since is when the last change was made.
	Since time.Time
	// RetryAfter is the time until an open circuit lets probes through; 0 in
	// any other state.
	RetryAfter time.Duration
	// Cause is the class of the failure that last opened the circuit;
	// [fault.ClassNone] if none did, or if slow calls did.
	Cause fault.Class
	// Counts are the outcomes in the window; zero while nothing is counted.
	Counts Counts
}

// Change is a change of a circuit's state.
type Change struct {
	// Target is the database; the zero Target for calls whose target is
	// unknown.
	Target sessionproxy.Target
	// From is the state before.
	From State
	// To is the state after; never the same as From.
	To State
	// At is when the change was made.
	At time.Time
	// Cause is the class of the failure that last opened the circuit;
	// [fault.ClassNone] if none did, or if slow calls did.
	Cause fault.Class
}
