package engine

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// Sentinels that the errors of this package match by [errors.Is].
var (
	// ErrNoResult means that exactly one row was required and there is none. It
	// also matches [database/sql.ErrNoRows], which does not count as a database
	// failure.
	ErrNoResult error = noResultError{}
	// ErrMultipleResults means that one row was required and there are more.
	ErrMultipleResults = errors.New("engine: several rows were found where one is required")
	// ErrUnknownColumn means that the result has no column of that name.
	ErrUnknownColumn = errors.New("engine: the result has no such column")
	// ErrAmbiguousColumn means that the result has several columns of that
	// name.
	ErrAmbiguousColumn = errors.New("engine: the result has several columns of that name")
	// ErrClosed means that a result, stream, connection or engine was used
	// after it was closed.
	ErrClosed = errors.New("it is closed")
	// ErrTransactionBegun means that the connection already has a transaction.
	ErrTransactionBegun = errors.New("the connection has a transaction already")
	// ErrTransactionClosed means that the transaction, or the one around it,
	// was committed or rolled back.
	ErrTransactionClosed = errors.New("the transaction has ended")
	// ErrTransactionManaged means an attempt to commit or roll back the
	// transaction of [Engine.RunInTx], which ends it itself.
	ErrTransactionManaged = errors.New("RunInTx ends its transaction itself: return nil to commit it, an error to roll it back")
	// ErrConnBusy means that the connection's stream or cursor is still open.
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

// noResultError lets ErrNoResult match sql.ErrNoRows with a message of its own.
type noResultError struct{}

func (noResultError) Error() string        { return "engine: no row was found where one is required" }
func (noResultError) Is(target error) bool { return target == sql.ErrNoRows }

// closedError lets ErrNoRows match ErrClosed with a message of its own.
type closedError struct{}

func (closedError) Error() string        { return "closed" }
func (closedError) Is(target error) bool { return target == ErrClosed }

// TxAbortedError means that a statement was refused because an earlier one had
// failed in the same transaction: by PostgreSQL, after any failure; by this
// package if the database may have ended the transaction because of it, so that
// later statements would be committed on their own. It matches [ErrTxAborted].
type TxAbortedError struct {
	// Cause is the error of the statement that failed first; nil if it is not
	// known.
	Cause error
	// Err is the database's refusal; nil if the statement was not sent to it.
	Err error
}

// Error returns the first failure.
func (e *TxAbortedError) Error() string {
	if e.Cause == nil {
		return ErrTxAborted.Error()
	}
	return ErrTxAborted.Error() + ": " + e.Cause.Error()
}

// Unwrap returns the first failure and the refusal.
func (e *TxAbortedError) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Cause, e.Err}, func(err error) bool { return err == nil })
}

// Is reports whether target is [ErrTxAborted].
func (*TxAbortedError) Is(target error) bool { return target == ErrTxAborted }

// DataError is a value that does not fit: out of range, too long, malformed.
// Its message shows only the code, because the database's own may show the
// value.
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

// ProgrammingError is a statement that the database does not understand, or
// that uses something that does not exist or is not permitted.
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
// a lost connection, a server that is stopping or overloaded, a conflict with
// another transaction.
type OperationalError struct {
	// Class is the class of the fault.
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

// describe adds what was tried, and turns an error of the database into its
// type.
func describe(tried string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("engine: %s: %w", tried, typed(err))
}

// typed returns err as the error type for its class, if it comes from the
// database.
func typed(err error) error {
	if violated, ok := integrity.Of(err); ok {
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
