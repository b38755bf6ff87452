package orm

import (
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/orm/internal/flush"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Errors of a session's state.
var (
	// ErrPendingRollback is matched by the errors of a session whose flush has
	// failed, until Rollback is called. The error wraps that of the flush.
	ErrPendingRollback = errors.New("orm: the transaction was rolled back by a flush that failed: call Rollback")
	// ErrInvalidState is matched by the error of an operation that the object's
	// state does not allow, such as deleting an object that was never added.
	ErrInvalidState = identity.ErrInvalidState
	// ErrNoTransaction is matched by the error of using a session with
	// [WithoutAutobegin] that has no transaction.
	ErrNoTransaction = errors.New("orm: there is no transaction, and autobegin is off: call Begin")
	// ErrFlush is matched by the error of a flush that failed for a reason
	// other than the database's refusal of a statement.
	ErrFlush = flush.ErrFlush
	// ErrCircularDependency is matched by the error of a flush of rows that
	// refer to each other in a circle in which no reference can be NULL. The
	// message contains the path.
	ErrCircularDependency = flush.ErrCircular
)

// Errors of arguments.
var (
	// ErrNotEntity is matched by the error for a value that is not a pointer to
	// a mapped struct. If the mapping is wrong, the error wraps a
	// [*mapping.Error].
	ErrNotEntity = errors.New("orm: no entity")
	// ErrUnknownField is matched by the error for the name of a field, column
	// or relation that a type does not have.
	ErrUnknownField = mapping.ErrUnknownField
)

// StaleDataError reports that a row was not found as it was read: another
// transaction has changed or deleted it in the meantime. It matches
// [fault.ErrStale], so that a unit of work can be replayed.
type StaleDataError struct {
	// Table is the row's table.
	Table string
	// Key is the row's primary key.
	Key Key
	// Rows is the number of rows that the statement found.
	Rows int64
}

// Error names the table, but not the key, whose value may be confidential.
func (e *StaleDataError) Error() string {
	return fmt.Sprintf("orm: flush: a row of %s: %d rows where 1 was expected: it was changed or deleted by others", e.Table, e.Rows)
}

// Is reports whether target is [fault.ErrStale].
func (*StaleDataError) Is(target error) bool { return target == fault.ErrStale }

// pendingRollbackError is the error of using a session after a flush has
// failed.
type pendingRollbackError struct{ cause error }

// Error says what to do, and why the flush failed.
func (e *pendingRollbackError) Error() string {
	return ErrPendingRollback.Error() + ": " + e.cause.Error()
}

// Unwrap returns the sentinel and the error of the flush.
func (e *pendingRollbackError) Unwrap() []error { return []error{ErrPendingRollback, e.cause} }

// stale turns the error of a flush or a merge into a [*StaleDataError], if it
// is about stale data.
func stale(err error) error {
	if found, ok := errors.AsType[*identity.StaleError](err); ok {
		return &StaleDataError{Table: found.Table, Key: found.Key, Rows: found.Rows}
	}
	return err
}
