package orm

import (
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/orm/internal/flush"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// The errors of a session's state.
var (
	// ErrPendingRollback is matched by the use of a session whose flush has
	// failed, until Rollback is called. The error holds that of the flush.
	ErrPendingRollback = errors.New("orm: the transaction was rolled back by a flush that failed: call Rollback")
	// ErrInvalidState is matched by the error of an operation that the object's
	// state does not allow, such as deleting an object that was never added.
	ErrInvalidState = identity.ErrInvalidState
	// ErrNoTransaction is matched by the use of a session that is not to begin
	// a transaction by itself, and has none.
	ErrNoTransaction = errors.New("orm: there is no transaction, and autobegin is off: call Begin")
	// ErrFlush is matched by a flush that could not be carried out, by more
	// than the database's refusal of a statement.
	ErrFlush = flush.ErrFlush
	// ErrCircularDependency is matched by a flush of rows that refer to each
	// other in a circle of which no part can be NULL. The message has the path.
	ErrCircularDependency = flush.ErrCircular
)

// The errors of what was given.
var (
	// ErrNotEntity is matched by the error for a value that is not a pointer to a
	// mapped struct. If its mapping is wrong, the error holds a [*mapping.Error].
	ErrNotEntity = errors.New("orm: no entity")
	// ErrUnknownField is matched by the name of a field, a column or a relation
	// that a type does not have.
	ErrUnknownField = mapping.ErrUnknownField
)

// StaleDataError says that a row was not found as it was read: another
// transaction has changed or deleted it in between. It matches
// [fault.ErrStale]: a unit of work that may be replayed is.
type StaleDataError struct {
	// Table is the row's table.
	Table string
	// Key is the row's primary key.
	Key Key
	// Rows is how many rows the statement found.
	Rows int64
}

// Error names the table; the key may be a value that nobody should read.
func (e *StaleDataError) Error() string {
	return fmt.Sprintf("orm: flush: a row of %s: %d rows where 1 was expected: it was changed or deleted by others", e.Table, e.Rows)
}

// Is reports whether target is [fault.ErrStale].
func (*StaleDataError) Is(target error) bool { return target == fault.ErrStale }

// pendingRollbackError is what a session answers with after a flush has failed.
type pendingRollbackError struct{ cause error }

// Error says what to do, and what failed.
func (e *pendingRollbackError) Error() string {
	return ErrPendingRollback.Error() + ": " + e.cause.Error()
}

// Unwrap returns the sentinel and the error of the flush.
func (e *pendingRollbackError) Unwrap() []error { return []error{ErrPendingRollback, e.cause} }

// stale makes a [*StaleDataError] of what a flush or a merge has found.
func stale(err error) error {
	if found, ok := errors.AsType[*identity.StaleError](err); ok {
		return &StaleDataError{Table: found.Table, Key: found.Key, Rows: found.Rows}
	}
	return err
}
