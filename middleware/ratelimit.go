package middleware

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// A RateLimiter is an interceptor that bounds how many calls start per second,
// a token bucket. It is made by [RateLimit] and safe for concurrent use.
type RateLimiter struct {
	rateLimitConfig
	rate    float64
	bucket  *tokens
	meters  *refusals
	waiting atomic.Int64
}

var (
	_ sp.Interceptor = (*RateLimiter)(nil)
	_ sp.Admitter    = (*RateLimiter)(nil)
)

// RateLimit returns an interceptor that lets on average perSecond calls start
// per second, through all chains it is in, and burst at once when it has been
// quiet: in no span of d seconds do more than burst + d × perSecond start. A
// call that comes too soon waits for its turn, in the order in which calls
// came. What would wait longer than [WithMaxWait] allows, or until after its
// deadline, is refused at once with a [*RateLimitError]; nothing was sent.
//
// A unit of work or a transaction counts once, when it begins; calls inside
// are not held up, since they would hold their locks meanwhile. What counts is
// the same as what takes a permit of [Limit]. Outside a retry a call counts
// once, inside each attempt does.
//
// perSecond has to be above 0 and at most a thousand million; it may be a
// fraction. burst has to be at least 1, and so many calls may take a year at
// most.
func RateLimit(perSecond float64, burst int, opts ...RateLimitOption) (*RateLimiter, error) {
	c := defaultRateLimitConfig()
	bucket := newTokens(perSecond, burst)
	if bucket == nil {
		return nil, fmt.Errorf("middleware: RateLimit(%v, %d): want a rate above 0 and at most %v, and a burst of at least 1 that is ready in a year", perSecond, burst, maxRate)
	}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.applyRateLimit(&c); err != nil {
			return nil, err
		}
	}
	l := &RateLimiter{rateLimitConfig: c, rate: perSecond, bucket: bucket}
	var err error
	l.meters, err = newLimitMeters(c.provider, "sessionproxy.rate_limit", c.name, l.waiting.Load, LimitDeadline, LimitMaxWait)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Wrap returns a handler that performs a call with next when its turn has
// come, or refuses it.
func (l *RateLimiter) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if enters(call) {
			if err := l.pass(ctx, call); err != nil {
				return err
			}
		}
		return next(ctx, call)
	}
}

// pass waits for the call's turn.
func (l *RateLimiter) pass(ctx context.Context, call *sp.Call) error {
	patience, reason := l.patience(ctx)
	wait, turn, ok := l.bucket.take(patience)
	switch {
	case !ok:
		if err := ctx.Err(); err != nil {
			return gaveUp(ctx, call, err)
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
		return gaveUp(ctx, call, ctx.Err())
	}
}

// patience returns how long a call may wait, and what bounds it.
func (l *RateLimiter) patience(ctx context.Context) (time.Duration, LimitReason) {
	if deadline, ok := ctx.Deadline(); ok {
		// At the deadline it is too late.
		if left := time.Until(deadline) - 1; left < l.maxWait {
			return left, LimitDeadline
		}
	}
	return l.maxWait, LimitMaxWait
}

// Admit returns the error with which call would be refused now, or nil. It is
// not counted by the metrics.
func (l *RateLimiter) Admit(ctx context.Context, call *sp.Call) error {
	if !enters(call) {
		return nil
	}
	patience, reason := l.patience(ctx)
	if wait := l.bucket.wait(); wait > 0 && wait > patience {
		return l.refusal(call, reason, wait)
	}
	return nil
}

func (l *RateLimiter) refuse(ctx context.Context, call *sp.Call, reason LimitReason, wait time.Duration) error {
	err := l.refusal(call, reason, wait)
	l.meters.add(ctx, reason)
	call.Event(sp.Event{Kind: sp.EventRejected, Err: err, Detail: string(reason)})
	return err
}

func (l *RateLimiter) refusal(call *sp.Call, reason LimitReason, wait time.Duration) *RateLimitError {
	return &RateLimitError{Op: call.Op, Name: l.name, PerSecond: l.rate, Burst: l.bucket.burst, Reason: reason, RetryAfter: wait}
}

// gaveUp judges the error of a caller whose context ended while its call
// waited.
func gaveUp(ctx context.Context, call *sp.Call, err error) error {
	call.Judge(ctx, err, fault.PhaseAcquire, fault.ProgressUnsent)
	return err
}
