package engine

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Sentinels that the errors of this package match by [errors.Is].
var (
	// ErrNoResult is matched when exactly one row was wanted and there is none.
	// It matches [database/sql.ErrNoRows] as well, which nobody takes for a
	// failure of the database.
	ErrNoResult error = noResultError{}
	// ErrMultipleResults is matched when one row was wanted and there are more.
	ErrMultipleResults = errors.New("engine: several rows were found where one is required")
	// ErrUnknownColumn is matched by the name of a column that a result has not.
	ErrUnknownColumn = errors.New("engine: the result has no such column")
	// ErrAmbiguousColumn is matched by the name of a column that a result has
	// several times.
	ErrAmbiguousColumn = errors.New("engine: the result has several columns of that name")
	// ErrClosed is matched by the use of a result, stream, connection or
	// engine after it was closed.
	ErrClosed = errors.New("it is closed")
	// ErrTransactionBegun is matched by an attempt to begin a transaction on a
	// connection that has one.
	ErrTransactionBegun = errors.New("the connection has a transaction already")
	// ErrTransactionClosed is matched by the use of a transaction that was
	// committed or rolled back, or whose outer one was.
	ErrTransactionClosed = errors.New("the transaction has ended")
	// ErrTransactionManaged is matched by an attempt to commit or roll back
	// the transaction of [Engine.RunInTx], which ends it by itself.
	ErrTransactionManaged = errors.New("RunInTx ends its transaction itself: return nil to commit it, an error to roll it back")
	// ErrConnBusy is matched by a statement on a connection whose stream or
	// cursor is still open.
	ErrConnBusy = errors.New("the connection has an open stream, which has to be closed first")
	// ErrTxAborted is matched by a statement, or COMMIT, that the database
	// refuses because a statement before it failed in the same transaction. See
	// [TxAbortedError].
	ErrTxAborted = backend.ErrTxAborted
	// ErrPipelineAborted is matched by a statement that was sent together with
	// one before it that failed. See [PipelineAbortedError].
	ErrPipelineAborted = backend.ErrPipelineAborted
	// ErrNoRows is matched by reading rows of a statement that returns none.
	// It matches [ErrClosed] as well.
	ErrNoRows = fmt.Errorf("engine: the statement returns no rows: the result is %w", closedError{})
)

// noResultError lets ErrNoResult match sql.ErrNoRows with a text of its own.
type noResultError struct{}

func (noResultError) Error() string        { return "engine: no row was found where one is required" }
func (noResultError) Is(target error) bool { return target == sql.ErrNoRows }

// closedError lets ErrNoRows match ErrClosed with a text of its own.
type closedError struct{}

func (closedError) Error() string        { return "closed" }
func (closedError) Is(target error) bool { return target == ErrClosed }

// TxAbortedError says that a statement was refused because an earlier one had
// failed in the same transaction: by PostgreSQL, whatever the failure was; by
// this package where the database may have ended the transaction because of it,
// so that what comes after would be committed by itself. It matches
// [ErrTxAborted].
type TxAbortedError struct {
	// Cause is the error of the statement that failed first; nil if it is not
	// known.
	Cause error
	// Err is what the database answered; nil if it was not asked.
	Err error
}

// Error returns the first failure.
func (e *TxAbortedError) Error() string {
	if e.Cause == nil {
		return ErrTxAborted.Error()
	}
	return ErrTxAborted.Error() + ": " + e.Cause.Error()
}

// Unwrap returns the first failure and the answer.
func (e *TxAbortedError) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Cause, e.Err}, func(err error) bool { return err == nil })
}

// Is reports whether target is [ErrTxAborted].
func (*TxAbortedError) Is(target error) bool { return target == ErrTxAborted }

// DataError is a value that does not fit: out of range, too long, of the wrong
// form. Its message shows the code alone, because the database's own may show
// the value.
type DataError struct {
	// Code is the database's code: SQLSTATE, or the number.
	Code string
	// Err is the driver's error. Its text may hold the value.
	Err error
}

// Error returns the code.
func (e *DataError) Error() string {
	return "a value does not fit (" + e.Code + ")"
}

// Unwrap returns the driver's error.
func (e *DataError) Unwrap() error { return e.Err }

// ProgrammingError is a statement that the database does not understand or
// that names something that does not exist or may not be used.
type ProgrammingError struct {
	// Class tells which it is: [fault.ClassSyntax], [fault.ClassNotFound],
	// [fault.ClassPermission] or [fault.ClassUnsupported].
	Class fault.Class
	// Code is the database's code: SQLSTATE, or the number.
	Code string
	// Err is the driver's error.
	Err error
}

// Error returns the driver's message.
func (e *ProgrammingError) Error() string { return e.Err.Error() }

// Unwrap returns the driver's error.
func (e *ProgrammingError) Unwrap() error { return e.Err }

// OperationalError is a fault of the database's operation, not of the program:
// a connection lost, a server that stops or is overloaded, a conflict with
// another transaction.
type OperationalError struct {
	// Class tells which it is.
	Class fault.Class
	// Code is the database's code: SQLSTATE, or the number; empty if the
	// database did not answer.
	Code string
	// Err is the driver's error.
	Err error
}

// Error returns the driver's message.
func (e *OperationalError) Error() string { return e.Err.Error() }

// Unwrap returns the driver's error.
func (e *OperationalError) Unwrap() error { return e.Err }

// abortedState is the SQLSTATE of a statement in a transaction that has failed
// (in_failed_sql_transaction).
const abortedState = "25P02"

// describe says what was tried and gives an error of the database its type.
func describe(tried string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("engine: %s: %w", tried, typed(err))
}

// typed returns err as the typed error that says what it is, if it comes from
// the database.
func typed(err error) error {
	if violated, ok := fault.Integrity(err); ok {
		return violated
	}
	code := fault.Code(err)
	switch class := fault.Of(err, fault.Situation{}).Class; class {
	case fault.ClassData:
		if code != "" {
			return &DataError{Code: code, Err: err}
		}
	case fault.ClassSyntax, fault.ClassNotFound, fault.ClassPermission, fault.ClassUnsupported:
		if code != "" {
			return &ProgrammingError{Class: class, Code: code, Err: err}
		}
	case fault.ClassConnect, fault.ClassConnectionLost, fault.ClassServerDown, fault.ClassOverloaded, fault.ClassReadOnly,
		fault.ClassSerialization, fault.ClassDeadlock, fault.ClassLockTimeout, fault.ClassStatementTimeout, fault.ClassAuth:
		return &OperationalError{Class: class, Code: code, Err: err}
	}
	return err
}
