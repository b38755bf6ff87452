package middleware

import (
	"strconv"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// LimitReason says why a call did not get past a [Limiter]. Its value is that
// of the attribute sessionproxy.limit.reason.
type LimitReason string

// The reasons for which calls are refused.
const (
	// LimitQueueFull: as many calls wait as may.
	LimitQueueFull LimitReason = "queue_full"
	// LimitDeadline: the call's deadline would have passed in the queue.
	LimitDeadline LimitReason = "deadline"
	// LimitMaxWait: the longest wait that [WithMaxWait] allows has passed, or
	// would have.
	LimitMaxWait LimitReason = "max_wait"
)

// LimitError is the error of a call that a [Limiter] refused: nothing was
// sent. It matches [fault.ErrRejected], so that nothing of this library
// repeats such a call or counts it as a fault of the database.
type LimitError struct {
	// Op is the call's operation.
	Op sp.Op
	// Name is the limiter's, from [WithName]; or "".
	Name string
	// Limit is how many calls may be at work at once; above 0.
	Limit int
	// Queue is how many may wait; 0 or more.
	Queue int
	// Reason says why the call was refused.
	Reason LimitReason
}

// Error returns a message that tells operation, limit and reason.
func (e *LimitError) Error() string {
	text := "middleware: " + e.Op.String() + ": "
	if e.Name != "" {
		text += e.Name + ": "
	}
	text += "limit of " + strconv.Itoa(e.Limit) + " calls at once: "
	switch e.Reason {
	case LimitDeadline:
		return text + "the deadline would pass in the queue"
	case LimitMaxWait:
		return text + "the longest wait would be exceeded"
	default:
		return text + "the queue of " + strconv.Itoa(e.Queue) + " is full"
	}
}

// Unwrap returns [fault.ErrRejected].
func (*LimitError) Unwrap() error { return fault.ErrRejected }
