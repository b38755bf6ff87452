package timeout

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Error is the error of a call that a time limit ended. It matches
// [fault.ErrAttemptTimeout], which distinguishes it from the caller's own
// deadline, and [context.DeadlineExceeded].
//
// It never matches [context.Canceled], even if a driver reports that: the
// caller did not give up. Nor does it match [driver.ErrBadConn], on which
// database/sql would send the call again with a new time limit.
type Error struct {
	// Limit is the time the call had; above 0.
	Limit time.Duration
	// Op is the call's operation.
	Op sp.Op
	// Err is the error with which the call ended: the driver's, or
	// context.DeadlineExceeded.
	Err error
}

// Error returns a message with operation, limit and cause.
func (e *Error) Error() string {
	return "timeout: " + e.Op.String() + ": time limit of " + e.Limit.String() + " exceeded: " + e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is [fault.ErrAttemptTimeout] or
// [context.DeadlineExceeded].
func (*Error) Is(target error) bool {
	return target == fault.ErrAttemptTimeout || target == context.DeadlineExceeded
}

// Timeout returns true, for code that looks for this method, such as
// [os.IsTimeout].
func (*Error) Timeout() bool { return true }

// atTimeout returns the driver's error so that it matches neither
// [driver.ErrBadConn] nor [context.Canceled].
func atTimeout(err error) error {
	if errors.Is(err, driver.ErrBadConn) {
		err = &fault.ConnLostError{Err: err}
	}
	if err == context.Canceled { //nolint:errorlint // bare, it says nothing more
		return context.DeadlineExceeded
	}
	if errors.Is(err, context.Canceled) {
		err = &notCanceledError{err}
	}
	return err
}

// notCanceledError is the error of a driver that derived a context of its own from
// that of the call, and found it cancelled.
type notCanceledError struct{ err error }

// Error returns the text of the error inside.
func (e *notCanceledError) Error() string { return e.err.Error() }

// Is reports whether the error inside matches target, if that is not
// [context.Canceled].
func (e *notCanceledError) Is(target error) bool {
	return target != context.Canceled && errors.Is(e.err, target)
}

// As finds the first error of target's type in the error inside.
func (e *notCanceledError) As(target any) bool { return errors.As(e.err, target) }
