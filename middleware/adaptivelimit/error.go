package adaptivelimit

import (
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Reason says why a [Limiter] refused a call. It is the value of the attribute
// sessionproxy.adaptive_limit.reason.
type Reason string

// The reasons for which calls are refused.
const (
	// QueueFull: the queue is full.
	QueueFull Reason = "queue_full"
	// Deadline: the call's deadline would have passed in the queue.
	Deadline Reason = "deadline"
	// MaxWait: the longest wait that [WithMaxWait] allows has passed, or would
	// have.
	MaxWait Reason = "max_wait"
	// Shed: the call waited in a full queue, and its place went to a call of a
	// higher priority, or of a share with fewer waiting calls.
	Shed Reason = "shed"
	// Overload: the call waited longer than [WithQueueTime] allows while the
	// queue was not emptying.
	Overload Reason = "overload"
)

// Error is the error of a call that a [Limiter] refused: nothing was sent. It
// matches [fault.ErrRejected], so that no interceptor retries such a call or
// counts it as a database fault.
type Error struct {
	// Op is the call's operation.
	Op sp.Op
	// Name is the limiter's, from [WithName]; or "".
	Name string
	// Limit is how many calls could run at once when it was refused.
	Limit int
	// Queue is how many could wait when it was refused; 0 or more.
	Queue int
	// Reason says why the call was refused.
	Reason Reason
}

// Error returns a message with operation and reason. It contains no numbers, so
// that errors can be grouped.
func (e *Error) Error() string {
	text := "adaptive limit: " + e.Op.String() + ": "
	if e.Name != "" {
		text += e.Name + ": "
	}
	switch e.Reason {
	case Deadline:
		return text + "the deadline would pass in the queue"
	case MaxWait:
		return text + "the longest wait would be exceeded"
	case Shed:
		return text + "the queue is full, and the place went to a call before it in order"
	case Overload:
		return text + "the queue does not empty, and the wait was longer than the overload allows"
	default:
		return text + "the queue is full"
	}
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
