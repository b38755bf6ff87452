package timeout

import (
	"context"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// limitedContext is the context of a call with a time limit. It is cancelled
// when the time is up, unless it was released before, and when the call is
// finished.
//
// It differs from [context.WithTimeoutCause], of which the timer can't be
// stopped without cancelling the context: rows and transactions outlive the
// limit, in the context they were made with.
type limitedContext struct {
	context.Context // the caller's, with cancel
	cancel          context.CancelCauseFunc
	deadline        time.Time
	timer           *time.Timer
	state           atomic.Uint32
	cause           Error
}

// The states of a limitedContext.
const (
	limitArmed    uint32 = iota // the time runs
	limitExpired                // the time was up before it was released
	limitReleased               // there is no limit any more
)

func newLimitedContext(parent context.Context, op sp.Op, limit time.Duration) *limitedContext {
	c := &limitedContext{
		deadline: time.Now().Add(limit),
		cause:    Error{Limit: limit, Op: op, Err: context.DeadlineExceeded},
	}
	c.Context, c.cancel = context.WithCancelCause(parent)
	c.timer = time.AfterFunc(limit, c.expire)
	return c
}

// expire cancels the context because the time is up.
func (c *limitedContext) expire() {
	if c.state.CompareAndSwap(limitArmed, limitExpired) {
		c.cancel(&c.cause)
	}
}

// release lifts the limit and reports whether the time was not yet up.
func (c *limitedContext) release() bool {
	if !c.state.CompareAndSwap(limitArmed, limitReleased) {
		return false
	}
	c.timer.Stop()
	return true
}

// finish is the call's finish hook.
func (c *limitedContext) finish(error) {
	c.release()
	c.cancel(nil)
}

// expired reports whether the context ended because the time was up, and not
// because the caller's had ended.
func (c *limitedContext) expired() bool {
	return c.Err() != nil && context.Cause(c.Context) == error(&c.cause) //nolint:errorlint // this very one
}

// Deadline returns the end of the time limit, so that nobody further in plans
// beyond it; and the caller's deadline once the limit is lifted.
func (c *limitedContext) Deadline() (time.Time, bool) {
	if c.state.Load() == limitReleased {
		return c.Context.Deadline()
	}
	return c.deadline, true
}

// Err returns [context.DeadlineExceeded] when the time is up. It looks at the
// clock, because a driver that watches the deadline by itself, as sockets do,
// may be ahead of the timer.
func (c *limitedContext) Err() error {
	if c.state.Load() == limitArmed && !time.Now().Before(c.deadline) {
		c.expire()
	}
	err := c.Context.Err()
	if err != nil && context.Cause(c.Context) == error(&c.cause) { //nolint:errorlint // this very one
		return context.DeadlineExceeded
	}
	return err
}
