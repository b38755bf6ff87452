package ratelimit

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/admission"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/middleware/ratelimit"

// A Limiter is an interceptor that bounds how many calls start per second,
// a token bucket. Create it with [New]. It is safe for concurrent use.
type Limiter struct {
	config
	rate    float64
	bucket  *tokens
	meters  *admission.Refusals
	waiting atomic.Int64
}

var (
	_ sp.Interceptor = (*Limiter)(nil)
	_ sp.Admitter    = (*Limiter)(nil)
)

// New returns an interceptor that starts on average perSecond calls per second,
// through all chains it is in, and burst at once after a quiet period: in any d
// seconds at most burst + d × perSecond start. A call that comes too soon waits
// for its turn, in order of arrival. A call that would wait longer than
// [WithMaxWait] allows, or past its deadline, is refused at once with a
// [*Error]; nothing was sent.
//
// A unit of work or a transaction counts once, when it begins; calls inside are
// not delayed, since they would hold their locks meanwhile. The calls that
// count are those that take a permit of middleware/limit. Outside a retry a
// call counts once; inside, each attempt counts.
//
// A call that already has its connection is not delayed either, since others
// may wait for that connection: a call on a connection, and every statement of
// a plain [database/sql.DB]. It still takes its token, so that calls from a
// handle or a pool wait longer.
//
// perSecond has to be above 0 and at most a thousand million; it may be a
// fraction. burst has to be at least 1 and, at this rate, to take at most a
// year.
func New(perSecond float64, burst int, opts ...Option) (*Limiter, error) {
	c := defaultConfig()
	bucket := newTokens(perSecond, burst)
	if bucket == nil {
		return nil, fmt.Errorf("ratelimit: New(%v, %d): want a rate above 0 and at most %v, and a burst of at least 1 that is ready in a year", perSecond, burst, maxRate)
	}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	l := &Limiter{config: c, rate: perSecond, bucket: bucket}
	var err error
	l.meters, err = admission.Meters{
		Provider: c.provider, Scope: scopeName, Prefix: "sessionproxy.rate_limit", Name: c.name,
	}.New(l.waiting.Load, string(Deadline), string(MaxWait))
	if err != nil {
		return nil, fmt.Errorf("ratelimit: %w", err)
	}
	return l, nil
}

// Wrap returns a handler that performs a call with next when its turn has
// come, or refuses it.
func (l *Limiter) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.IsEntry() && passes(call) {
			l.bucket.owe()
		} else if call.IsEntry() {
			if err := l.pass(ctx, call); err != nil {
				return err
			}
		}
		return next(ctx, call)
	}
}

// passes reports whether a call does not wait for its turn: it has a connection,
// or finds out what became of a COMMIT.
func passes(call *sp.Call) bool { return call.Scope == sp.ScopeConn || call.Marks.Verifying }

// pass waits for the call's turn.
func (l *Limiter) pass(ctx context.Context, call *sp.Call) error {
	patience, reason := l.patience(ctx)
	wait, turn, ok := l.bucket.take(patience)
	switch {
	case !ok:
		if err := ctx.Err(); err != nil {
			return admission.GaveUp(ctx, call, err)
		}
		return l.refuse(ctx, call, reason, wait)
	case wait <= 0:
		return nil
	}
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		call.Event(sp.Event{Kind: sp.EventQueued, Delay: wait, Detail: "rate limit"})
		return nil
	case <-ctx.Done():
		l.bucket.giveBack(turn)
		return admission.GaveUp(ctx, call, ctx.Err())
	}
}

// patience returns how long a call may wait, and what bounds it.
func (l *Limiter) patience(ctx context.Context) (time.Duration, Reason) {
	if deadline, ok := ctx.Deadline(); ok {
		// At the deadline it is too late.
		if left := time.Until(deadline) - 1; left < l.maxWait {
			return left, Deadline
		}
	}
	return l.maxWait, MaxWait
}

// Admit returns the error with which call would be refused now, or nil. It is
// not counted by the metrics.
func (l *Limiter) Admit(ctx context.Context, call *sp.Call) error {
	if !call.IsEntry() || passes(call) {
		return nil
	}
	patience, reason := l.patience(ctx)
	if wait := l.bucket.wait(); wait > 0 && wait > patience {
		return l.refusal(call, reason, wait)
	}
	return nil
}

func (l *Limiter) refuse(ctx context.Context, call *sp.Call, reason Reason, wait time.Duration) error {
	err := l.refusal(call, reason, wait)
	l.meters.Add(ctx, string(reason))
	call.Event(sp.Event{Kind: sp.EventRejected, Err: err, Detail: string(reason)})
	return err
}

func (l *Limiter) refusal(call *sp.Call, reason Reason, wait time.Duration) *Error {
	return &Error{Op: call.Op, Name: l.name, PerSecond: l.rate, Burst: l.bucket.burst, Reason: reason, RetryAfter: wait}
}
