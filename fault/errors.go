package fault

import (
	"database/sql/driver"
	"errors"
)

// Sentinels that the errors of this library match by [errors.Is].
var (
	// ErrCommitUnknown means that a COMMIT was sent and its answer was lost:
	// the transaction may or may not have been committed. See [CommitError].
	ErrCommitUnknown = errors.New("fault: the outcome of the commit is unknown")
	// ErrAttemptTimeout means that one attempt took longer than this library
	// allows, before the caller's own deadline. [Of] also looks for it in
	// [Situation].Cause.
	ErrAttemptTimeout = errors.New("fault: attempt timed out")
	// ErrPoolTimeout means that no connection of a pool became free in time.
	ErrPoolTimeout = errors.New("fault: no free connection in the pool in time")
	// ErrStale means that a row had been changed by another transaction since it
	// was read, such as by a version that has moved on: run the transaction again
	// from its first read.
	ErrStale = errors.New("fault: a row was changed by another transaction since it was read")
	// ErrRejected is matched by the error of every call that this library
	// refuses to run: nothing was sent.
	ErrRejected = errors.New("fault: call rejected before it was sent")
)

// CommitError is the error of a COMMIT that was sent and whose answer was
// lost. It matches [ErrCommitUnknown]. Before running the unit of work again,
// find out whether it was committed: by a row that only this unit writes, an
// idempotency key, or pg_xact_status on PostgreSQL.
type CommitError struct {
	// Err is why the answer is missing; nil if that is not known.
	Err error
}

// Error returns a message that says what to do, and the cause.
func (e *CommitError) Error() string {
	const text = "fault: commit: the outcome is unknown, verify it before repeating the transaction"
	if e == nil || e.Err == nil {
		return text
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *CommitError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is reports whether target is [ErrCommitUnknown].
func (*CommitError) Is(target error) bool { return target == ErrCommitUnknown }

// ConnLostError replaces a doubtful [driver.ErrBadConn]: the driver reported a
// bad connection, but something may have been sent over it. database/sql sends
// a statement again when the error matches driver.ErrBadConn, so this error
// never matches it, whatever it wraps; [errors.Is] and [errors.As] find
// everything else in Err as if Err were wrapped.
type ConnLostError struct {
	// Err is the driver's error. Unwrap does not return it.
	Err error
}

// Error returns the cause's message.
func (e *ConnLostError) Error() string {
	const text = "fault: connection lost, the statement may have been sent"
	if e == nil || e.Err == nil {
		return text
	}
	return text + ": " + e.Err.Error()
}

// Is reports whether Err matches target, except that
// [driver.ErrBadConn] is never matched.
func (e *ConnLostError) Is(target error) bool {
	return e != nil && target != driver.ErrBadConn && errors.Is(e.Err, target)
}

// As finds the first error in Err that matches target, as [errors.As] does.
func (e *ConnLostError) As(target any) bool {
	return e != nil && errors.As(e.Err, target)
}
