package retry

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// EventCommitVerified reports the verifier's result for a COMMIT whose answer
// was lost: Err is the error of the COMMIT, Detail is "committed",
// "rolled_back" or "failed".
const EventCommitVerified sessionproxy.EventKind = "retry.commit_verified"

// VerifyError is the error of a unit of work whose COMMIT got no answer and
// whose verifier failed. It matches [fault.ErrCommitUnknown].
type VerifyError struct {
	// Commit is the error of the unit, which matches fault.ErrCommitUnknown.
	Commit error
	// Verify is the verifier's error.
	Verify error
}

// Error returns the message of the COMMIT's error and then that of the
// verifier's.
func (e *VerifyError) Error() string {
	return fmt.Sprintf("%v; retry: verify the commit: %v", e.Commit, e.Verify)
}

// Unwrap returns the COMMIT's error and then the verifier's, which does not
// match [driver.ErrBadConn].
func (e *VerifyError) Unwrap() []error {
	return []error{e.Commit, mute(e.Verify, driver.ErrBadConn)}
}

// resolveCommit finds out what became of a unit of work whose COMMIT got no answer.
// It returns a nil error if the unit is committed, and else the error with
// which the unit failed and what follows from that.
func (s *series) resolveCommit(ctx context.Context, err error, v fault.Verdict) (fault.Verdict, error) {
	verify := s.verifier(ctx)
	if verify == nil {
		if s.call.Idempotent() {
			v.Retry = fault.RetryTransaction
		}
		return v, err
	}
	event := sessionproxy.Event{Kind: EventCommitVerified, Attempt: s.call.Attempt(), Err: err}
	committed, failure := s.verify(ctx, verify)
	switch {
	case failure != nil:
		event.Detail = "failed"
		err, v.Retry = &VerifyError{Commit: err, Verify: failure}, fault.RetryNone
	case committed:
		event.Detail = "committed"
		err = nil
	default:
		event.Detail = "rolled_back"
		err, v.Retry, v.Outcome = uncommitted(err), fault.RetryTransaction, fault.OutcomeRolledBack
	}
	s.call.Event(event)
	return v, err
}

type verifyingKey struct{}

// verifier returns the unit's own verifier, else the one of the interceptor,
// or nil. A verifier that runs a unit of work does not verify that in turn
// with itself.
func (s *series) verifier(ctx context.Context) VerifyFunc {
	if own := s.call.Marks.VerifyCommit; own != nil {
		return own
	}
	if ctx.Value(verifyingKey{}) != nil {
		return nil
	}
	return s.retry.verifyCommit
}

// verify runs a verifier. The unit's name and its verifier are the unit's alone.
func (s *series) verify(ctx context.Context, verify VerifyFunc) (bool, error) {
	ctx, cancel := patient(ctx, s.retry.verifyTimeout)
	defer cancel()
	ctx = sessionproxy.WithCallName(sessionproxy.WithVerifyCommit(ctx, nil), "")
	ctx = context.WithValue(sessionproxy.WithVerifying(ctx), verifyingKey{}, true)
	return verify(ctx)
}

// patient returns a context that ends with ctx, but not before a time has passed:
// the answer still decides between success and failure when the caller has given
// up, and a deadline that is near says nothing of how long the answer takes.
func patient(ctx context.Context, least time.Duration) (context.Context, context.CancelFunc) {
	end := time.Now().Add(least)
	detached := context.WithoutCancel(ctx)
	deadline, bounded := ctx.Deadline()
	if ctx.Err() != nil || bounded && deadline.Before(end) {
		return context.WithDeadline(detached, end)
	}
	var out context.Context
	var cancel context.CancelFunc
	if bounded {
		out, cancel = context.WithDeadline(detached, deadline)
	} else {
		out, cancel = context.WithCancel(detached)
	}
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(time.Until(end))
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-out.Done():
		}
	})
	return out, func() {
		stop()
		cancel()
	}
}

// uncommitted returns what made err's COMMIT fail, which is known not to have
// happened: it must not match fault.ErrCommitUnknown any more.
func uncommitted(err error) error {
	for c := (*fault.CommitError)(nil); errors.As(err, &c) && c.Err != nil; {
		err = c.Err
	}
	return mute(err, fault.ErrCommitUnknown)
}
