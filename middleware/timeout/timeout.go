package timeout

import (
	"context"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/latency"
)

// New returns an interceptor that gives each call at most d to return its
// result. Outside a retry it limits the call with all its attempts; inside one
// it limits each attempt. Use one in each place to have both.
//
// When the time is up the call's context is cancelled, and the call fails with
// a [*Error] as soon as the driver returns, which it does at once if it
// respects its context. The limit never leaves a driver running, and never
// turns a success into a failure: a COMMIT that succeeds late has succeeded. A
// definite answer of the database, such as a violated constraint, is also
// returned as it is.
//
// The limit applies to getting the result, not to using it. Once rows or a
// transaction are returned, they have no time limit any more; their context
// lives until they are closed, unless the caller's ends earlier. A unit of work
// (RunInTx) is limited from BEGIN to COMMIT. If a call takes a connection from
// a pool, the limit includes the wait; the calls of a plain *sql.DB begin when
// database/sql has found a connection.
//
// If the caller's deadline comes first, the limit does nothing and costs at most
// one reading of the clock. The one word that calls of several handles write is
// the time that was read last, at most once a millisecond. It does nothing for a step of an enclosing call, such
// as dialling for a statement, which runs in that call's context and time.
// Rolling back and closing are not limited by default, see [WithFor]: if given
// up, they would leave behind what they should clean up.
//
// d has to be above 0. It is the limit for all operations, unless [WithFor] or
// [WithPercentile] say otherwise.
func New(d time.Duration, opts ...Option) (sp.Interceptor, error) {
	if d <= 0 {
		return nil, fmt.Errorf("timeout: New(%v): want more than 0", d)
	}
	c := defaultConfig(d)
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return &timeout{config: c, clock: clock{base: time.Now()}}, nil
}

// timeout is what New returns.
type timeout struct {
	config
	clock clock
}

// Wrap returns a handler that limits the time of next.
func (t *timeout) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		limit := t.limits[call.Op]
		if limit == 0 || call.Step() {
			return next(ctx, call)
		}
		if h := t.learn.about(call); h != nil {
			return t.learned(ctx, call, t.learn.limit(h, limit), h, next)
		}
		if deadline, ok := ctx.Deadline(); ok && t.clock.within(deadline, limit) {
			return next(ctx, call)
		}
		return limited(ctx, call, limit, next)
	}
}

// learned passes the call to next with a limit that follows from h, and has h
// learn from it.
func (t *timeout) learned(ctx context.Context, call *sp.Call, limit time.Duration, h *latency.Histogram, next sp.Handler) error {
	began := time.Now()
	var err error
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(began) <= limit {
		err = next(ctx, call)
	} else {
		err = limited(ctx, call, limit, next)
	}
	if _, late := err.(*Error); err == nil || late { //nolint:errorlint // of this very limit
		h.Observe(time.Since(began), t.learn.percentile)
	}
	return err
}

// limited passes the call to next with a context that ends when the time is
// up.
func limited(ctx context.Context, call *sp.Call, limit time.Duration, next sp.Handler) error {
	c := newLimitedContext(ctx, call.Op, limit)
	call.OnFinish(c.finish)
	err := next(c, call)
	switch {
	case err != nil:
		if !c.expired() || call.Verdict(err).Definite() {
			c.release()
			return err
		}
	case !call.Open():
		c.release()
		return nil
	case c.release():
		return nil
	default:
		// The result is being taken down with its context already.
		err = context.DeadlineExceeded
	}
	call.Event(sp.Event{Kind: sp.EventTimeout, Delay: limit, Err: err})
	return &Error{Limit: limit, Op: call.Op, Err: atTimeout(err)}
}
