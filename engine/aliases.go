package engine

import "github.com/sessionproxy/sessionproxy/engine/backend"

// Types of package backend that programs use too.
type (
	// Dialect describes a database: what it is and how its SQL is written.
	Dialect = backend.Dialect
	// Cursor is the open result of a statement, before its first row.
	Cursor = backend.Cursor
	// BatchError says which statement of a batch failed.
	BatchError = backend.BatchError
	// PipelineAbortedError is the error of a statement that was sent in one
	// round trip with an earlier one that failed.
	PipelineAbortedError = backend.PipelineAbortedError
	// PoolTimeoutError reports that no connection of the pool became free in
	// time.
	PoolTimeoutError = backend.PoolTimeoutError
)
