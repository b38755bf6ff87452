package throttle

import (
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Error is the error of a call that a [Throttler] refused: nothing was sent. It
// matches [fault.ErrRejected], so that no interceptor retries such a call or
// counts it as a database fault.
type Error struct {
	// Op is the call's operation.
	Op sp.Op
	// Target is the database, without user or password.
	Target string
	// Share is the fraction of the calls that was being refused, above 0 and
	// below 1. It is not in the message, so that errors of one overload can be
	// grouped.
	Share float64
}

// Error returns a message with operation and target.
func (e *Error) Error() string {
	return "throttle: " + e.Op.String() + " on " + e.Target + ": the database refuses calls for want of resources: try again later"
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
