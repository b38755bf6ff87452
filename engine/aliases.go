package engine

import "github.com/sessionproxy/sessionproxy/engine/backend"

// What a dialect gives and a user of the engine names too.
type (
	// Dialect describes a database: what it is and how its SQL is written.
	Dialect = backend.Dialect
	// Cursor is the open answer to a statement, before its first row.
	Cursor = backend.Cursor
	// BatchError says which statement of a batch failed.
	BatchError = backend.BatchError
	// PipelineAbortedError is the error of a statement that travelled with
	// others in one round trip, after one of them that failed.
	PipelineAbortedError = backend.PipelineAbortedError
	// PoolTimeoutError says that no connection of the pool became free in time.
	PoolTimeoutError = backend.PoolTimeoutError
)
