package limit

import (
	"strconv"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Reason says why a [Limiter] refused a call. It is the value of the attribute
// sessionproxy.limit.reason.
type Reason string

// The reasons for which calls are refused.
const (
	// QueueFull: the queue is full.
	QueueFull Reason = "queue_full"
	// Deadline: the call's deadline would have passed in the queue.
	Deadline Reason = "deadline"
	// MaxWait: the longest wait that [WithMaxWait] allows has passed, or
	// would have.
	MaxWait Reason = "max_wait"
	// Shed: the call waited in a full queue, and its place went to a call of a
	// higher priority, or of a share with fewer waiting calls.
	Shed Reason = "shed"
)

// Error is the error of a call that a [Limiter] refused: nothing was
// sent. It matches [fault.ErrRejected], so that no interceptor retries such a
// call or counts it as a database fault.
type Error struct {
	// Op is the call's operation.
	Op sp.Op
	// Name is the limiter's, from [WithName]; or "".
	Name string
	// Limit is how many calls may run at once; above 0.
	Limit int
	// Queue is how many may wait; 0 or more.
	Queue int
	// Reason says why the call was refused.
	Reason Reason
}

// Error returns a message with operation, limit and reason.
func (e *Error) Error() string {
	text := "limit: " + e.Op.String() + ": "
	if e.Name != "" {
		text += e.Name + ": "
	}
	text += "limit of " + strconv.Itoa(e.Limit) + " calls at once: "
	switch e.Reason {
	case Deadline:
		return text + "the deadline would pass in the queue"
	case MaxWait:
		return text + "the longest wait would be exceeded"
	case Shed:
		return text + "the queue of " + strconv.Itoa(e.Queue) + " is full, and the place went to a call before it in order"
	default:
		return text + "the queue of " + strconv.Itoa(e.Queue) + " is full"
	}
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
