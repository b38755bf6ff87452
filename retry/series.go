package retry

import (
	"context"
	"errors"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// series is what has to be remembered of a call once its first attempt has
// failed.
type series struct {
	retry *Retry
	call  *sessionproxy.Call

	err     error         // of the last attempt that reached the database
	verdict fault.Verdict // on err
	made    int           // how many attempts did so
	earlier []error       // errors of those before
	doubt   bool          // one of those before may have taken effect
	looked  int           // how many retries were made to see whether a host has been promoted
}

// again retries a call whose first attempt failed with err, until it succeeds
// or must be given up. It is kept out of line so that success pays nothing for
// it.
//
//go:noinline
func (h *handler) again(ctx context.Context, call *sessionproxy.Call, err error) error {
	s := series{retry: h.retry, call: call}
	for {
		v := h.retry.verdict(call, err)
		if call.Final() {
			return s.final(err, v)
		}
		if call.Op == sessionproxy.OpTransaction && errors.Is(err, fault.ErrCommitUnknown) {
			if v, err = s.resolveCommit(ctx, err, v); err == nil {
				return nil
			}
		}
		if !permits(call, err, v) {
			return s.final(err, v)
		}
		s.note(err, v)
		if err = s.proceed(ctx); err != nil {
			return err
		}
		if err = call.Try(ctx, h.next); err == nil {
			return nil
		}
	}
}

// note records the failure of an attempt that reached the database.
func (s *series) note(err error, v fault.Verdict) {
	if s.err != nil {
		s.earlier = append(s.earlier, s.err)
		s.doubt = s.doubt || s.verdict.Outcome == fault.OutcomeUnknown
	}
	s.err, s.verdict = err, v
	s.made++
}

// proceed waits before the next attempt. It returns nil when that may be
// made, and else the error of the call.
func (s *series) proceed(ctx context.Context) error {
	n, group := s.call.Attempt(), groupOf(s.verdict)
	looks := group == Failover && s.looked < looks && s.retry.attempts > 1
	if n-s.looked >= s.retry.attempts && !looks || n > 1 && onceOnly(s.call, s.err) {
		return s.exhausted(ctx, ReasonAttempts)
	}
	if ctx.Err() != nil {
		return s.abandoned(ctx)
	}
	delay := s.retry.delay(group, s.turn(n, looks))
	// A wait that ends at the deadline leaves no time for an attempt either.
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
		return s.exhausted(ctx, ReasonDeadline)
	}
	paid, ok := s.retry.budget.take(s.call.Target, s.verdict)
	if !ok {
		return s.exhausted(ctx, ReasonBudget)
	}
	s.call.Event(sessionproxy.Event{Kind: sessionproxy.EventRetry, Attempt: n, Delay: delay, Err: s.err})
	if err := s.pause(ctx, delay, looks); err != nil {
		s.retry.budget.give(s.call.Target, paid)
		return err
	}
	s.retry.meters.retried(ctx, s.call.Target, s.verdict.Class)
	return nil
}

// turn returns how many pauses of this kind there are with the one before the next
// attempt, after n.
func (s *series) turn(n int, looks bool) int {
	if looks {
		s.looked++
		return s.looked
	}
	return n - s.looked
}

// pause waits before the next attempt, and returns the error of the call if there
// is to be none. While a host is promoted others need what the call holds, such as
// the permit of a limit.
func (s *series) pause(ctx context.Context, delay time.Duration, looks bool) error {
	if !looks || s.call.Scope != sessionproxy.ScopePool {
		if !sleep(ctx, delay) {
			return s.abandoned(ctx)
		}
		return nil
	}
	awake := false
	err := s.call.Wait(ctx, func(ctx context.Context) error {
		if awake = sleep(ctx, delay); !awake {
			return ctx.Err()
		}
		return nil
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || !awake:
		return s.abandoned(ctx)
	}
	return s.fail(ReasonRejected, err)
}

// final returns the error of a call whose last attempt failed with err, which
// is not to be retried.
func (s *series) final(err error, v fault.Verdict) error {
	if s.err == nil {
		return err
	}
	reason := ReasonFinal
	if canceled(v) && !errors.Is(err, fault.ErrCommitUnknown) {
		reason = ReasonCanceled
	}
	if unsent(err, v) {
		if reason != ReasonCanceled {
			reason = ReasonRejected
		}
		return s.fail(reason, err)
	}
	s.note(err, v)
	if reason == ReasonFinal && !s.doubt {
		// A definite answer: that it took more than one attempt to get it must
		// not change its look.
		return err
	}
	return s.fail(reason)
}

// abandoned returns the error of a call whose context ended between attempts.
func (s *series) abandoned(ctx context.Context) error {
	ended, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(ended, context.DeadlineExceeded) {
		return s.exhausted(ctx, ReasonDeadline)
	}
	if cause == nil || errors.Is(ended, cause) {
		return s.exhausted(ctx, ReasonCanceled, ended)
	}
	return s.exhausted(ctx, ReasonCanceled, ended, cause)
}

// exhausted reports that a failure that could have been retried is not, and
// returns the error of the call.
func (s *series) exhausted(ctx context.Context, reason Reason, behind ...error) error {
	s.retry.meters.exhausted(ctx, s.call.Target, s.verdict.Class, reason)
	s.call.Event(sessionproxy.Event{
		Kind: sessionproxy.EventRetryExhausted, Attempt: s.call.Attempt(), Err: s.err, Detail: string(reason),
	})
	return s.fail(reason, behind...)
}

// fail returns the last error of the database with what else is to be told,
// or as it is if there is nothing. That the budget is used up is told always: it
// is why a call failed that would have been retried on another day.
func (s *series) fail(reason Reason, behind ...error) error {
	if s.made == 1 && len(behind) == 0 && reason != ReasonBudget {
		return s.err
	}
	e := &Error{Attempts: s.made, Err: s.err, Reason: reason, behind: behind, earlier: others(s.err, s.earlier)}
	e.tree = e.grow(s.verdict.Outcome != fault.OutcomeUnknown)
	return e
}
