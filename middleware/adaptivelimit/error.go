package adaptivelimit

import (
	"strconv"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Reason says why a call did not get past a [Limiter]. Its value is that of the
// attribute sessionproxy.adaptive_limit.reason.
type Reason string

// The reasons for which calls are refused.
const (
	// QueueFull: as many calls wait as may.
	QueueFull Reason = "queue_full"
	// Deadline: the call's deadline would have passed in the queue.
	Deadline Reason = "deadline"
	// MaxWait: the longest wait that [WithMaxWait] allows has passed, or would
	// have.
	MaxWait Reason = "max_wait"
	// Shed: the call waited in a full queue, and its place went to one of a
	// higher priority, or of a share of which fewer wait.
	Shed Reason = "shed"
	// Overload: the call waited longer than [WithQueueTime] allows while the
	// queue does not empty.
	Overload Reason = "overload"
)

// Error is the error of a call that a [Limiter] refused: nothing was sent. It
// matches [fault.ErrRejected], so that nothing of this library repeats such a call
// or counts it as a fault of the database.
type Error struct {
	// Op is the call's operation.
	Op sp.Op
	// Name is the limiter's, from [WithName]; or "".
	Name string
	// Limit is how many calls might be at work at once when it was refused.
	Limit int
	// Queue is how many may wait; 0 or more.
	Queue int
	// Reason says why the call was refused.
	Reason Reason
}

// Error returns a message that tells operation and reason. The limit of the
// moment is not in it, so that errors can be grouped.
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
		return text + "the queue of " + strconv.Itoa(e.Queue) + " is full, and the place went to a call before it in order"
	case Overload:
		return text + "the queue does not empty, and the wait was longer than the overload allows"
	default:
		return text + "the queue of " + strconv.Itoa(e.Queue) + " is full"
	}
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
