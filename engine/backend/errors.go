package backend

import (
	"errors"
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// Sentinels that the errors of this package match by [errors.Is].
var (
	// ErrTxAborted is matched by the error of a statement that the database
	// refuses because an earlier one failed in the same transaction.
	ErrTxAborted = errors.New("the transaction is aborted by an earlier error: roll it back")
	// ErrPipelineAborted is matched by the error of a statement that was sent
	// together with an earlier one that failed. See [PipelineAbortedError].
	ErrPipelineAborted = errors.New("a statement before it in the same round trip failed")
)

// PipelineAbortedError is the error of a statement that was sent in one round
// trip with an earlier one that failed: the server has not run it. It matches
// [ErrTxAborted], [ErrPipelineAborted] and [fault.ErrRejected].
type PipelineAbortedError struct {
	// Cause is the error of the statement that failed first.
	Cause error
}

// Error says that the statement did not run, and why.
func (e *PipelineAbortedError) Error() string {
	return "not run, because a statement before it in the same round trip failed: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *PipelineAbortedError) Unwrap() error { return e.Cause }

// Is reports whether target is one of the errors named above.
func (*PipelineAbortedError) Is(target error) bool {
	return target == ErrTxAborted || target == ErrPipelineAborted || target == fault.ErrRejected
}

// PoolTimeoutError reports that no connection of the pool became free in time.
// It matches [fault.ErrPoolTimeout].
type PoolTimeoutError struct {
	// Max is the number of connections that the pool may have.
	Max int
	// Timeout is how long the caller waited.
	Timeout time.Duration
}

// Error says how long the caller waited and what the reason may be.
func (e *PoolTimeoutError) Error() string {
	return fmt.Sprintf("none of %d connections became free within %s: close connections and streams when done, or set a larger pool", e.Max, e.Timeout)
}

// Is reports whether target is [fault.ErrPoolTimeout].
func (*PoolTimeoutError) Is(target error) bool { return target == fault.ErrPoolTimeout }

// BatchError says which statement of a batch failed.
type BatchError struct {
	// Index is the statement's position in the batch, from 0. If PostgreSQL
	// could not be sent the arguments of one of several statements with the
	// same SQL text, it is the position of the first of them.
	Index int
	// Err is the error of the statement.
	Err error
}

// Error returns the statement's number and the cause.
func (e *BatchError) Error() string {
	return fmt.Sprintf("statement %d of the batch: %v", e.Index, e.Err)
}

// Unwrap returns the cause.
func (e *BatchError) Unwrap() error { return e.Err }
