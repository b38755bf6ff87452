package ratelimit

import (
	"strconv"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Reason says why a [Limiter] refused a call. It is the value of the attribute
// sessionproxy.rate_limit.reason.
type Reason string

// The reasons for which calls are refused.
const (
	// Deadline: the call's deadline would have passed before its turn.
	Deadline Reason = "deadline"
	// MaxWait: its turn would have come later than [WithMaxWait] allows.
	MaxWait Reason = "max_wait"
)

// Error is the error of a call that a [Limiter] refused: nothing
// was sent. It matches [fault.ErrRejected], so that no interceptor retries such
// a call or counts it as a database fault.
type Error struct {
	// Op is the call's operation.
	Op sp.Op
	// Name is the limiter's, from [WithName]; or "".
	Name string
	// PerSecond is how many calls may start per second on average.
	PerSecond float64
	// Burst is how many may start at once.
	Burst int
	// Reason says why the call did not wait: [Deadline] or [MaxWait].
	Reason Reason
	// RetryAfter is how long the call would have had to wait; above 0.
	RetryAfter time.Duration
}

// Error returns a message that tells operation, rate, wait and reason.
func (e *Error) Error() string {
	text := "ratelimit: " + e.Op.String() + ": "
	if e.Name != "" {
		text += e.Name + ": "
	}
	text += "limit of " + strconv.FormatFloat(e.PerSecond, 'g', -1, 64) + " calls per second: a wait of " + e.RetryAfter.String()
	if e.Reason == Deadline {
		return text + " would outlast the deadline"
	}
	return text + " is longer than allowed"
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
