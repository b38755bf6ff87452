package middleware

import (
	"strconv"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// RateLimitError is the error of a call that a [RateLimiter] refused: nothing
// was sent. It matches [fault.ErrRejected], so that nothing of this library
// repeats such a call or counts it as a fault of the database.
type RateLimitError struct {
	// Op is the call's operation.
	Op sp.Op
	// Name is the limiter's, from [WithName]; or "".
	Name string
	// PerSecond is how many calls may start per second on average.
	PerSecond float64
	// Burst is how many may start at once.
	Burst int
	// Reason says why the call did not wait: [LimitDeadline] or [LimitMaxWait].
	Reason LimitReason
	// RetryAfter is how long the call would have had to wait; above 0.
	RetryAfter time.Duration
}

// Error returns a message that tells operation, rate, wait and reason.
func (e *RateLimitError) Error() string {
	text := "middleware: " + e.Op.String() + ": "
	if e.Name != "" {
		text += e.Name + ": "
	}
	text += "limit of " + strconv.FormatFloat(e.PerSecond, 'g', -1, 64) + " calls per second: a wait of " + e.RetryAfter.String()
	if e.Reason == LimitDeadline {
		return text + " would outlast the deadline"
	}
	return text + " is longer than allowed"
}

// Unwrap returns [fault.ErrRejected].
func (*RateLimitError) Unwrap() error { return fault.ErrRejected }
