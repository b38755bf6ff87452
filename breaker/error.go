package breaker

import (
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// ErrOpen is matched by the error of every call that a breaker refused. It
// matches [fault.ErrRejected] itself, so that no interceptor retries such a
// call, and never [database/sql/driver.ErrBadConn], so that database/sql does
// not.
var ErrOpen = fmt.Errorf("breaker: circuit open: %w", fault.ErrRejected)

// OpenError is the error of a call that a breaker refused: nothing was sent.
// It matches [ErrOpen] and [fault.ErrRejected].
type OpenError struct {
	// Target names the database, without user or password; see
	// [sessionproxy.Target.String].
	Target string
	// State is the circuit's state: open, forced open, or half-open with all
	// its probes under way.
	State State
	// RetryAfter is the time until the circuit lets a probe through; 0 if it
	// already does, or if it was forced open and the time is unknown.
	RetryAfter time.Duration
	// Cause is the class of the failure that opened the circuit;
	// [fault.ClassNone] if slow calls did, or if it was forced open.
	Cause fault.Class
}

// Error returns a message that names the target, the state and the cause. It
// contains no time, so that all errors of an outage have the same text; see
// RetryAfter.
func (e *OpenError) Error() string {
	text := "breaker: call to " + e.Target + ": circuit " + e.State.String()
	if e.Cause != fault.ClassNone {
		text += " after " + e.Cause.String()
	}
	return text
}

// Unwrap returns [ErrOpen].
func (*OpenError) Unwrap() error { return ErrOpen }
