package backend

import (
	"context"
	"database/sql"
)

// A Conn is one connection of a [DB]. It is used by one goroutine at a time.
type Conn interface {
	// Execute runs a statement and buffers its result.
	Execute(ctx context.Context, q BoundStatement) (Result, error)
	// Query runs a statement and leaves its result open; see [DB].Query. Until
	// the cursor is closed the connection can do nothing else.
	Query(ctx context.Context, q BoundStatement, window int) (Cursor, error)
	// Batch runs statements in order, in one round trip if the database
	// supports it, and returns one result for each. It stops at the first that
	// fails, and then returns a [BatchError] with the results of the statements
	// before it.
	Batch(ctx context.Context, qs []BoundStatement) ([]Result, error)
	// Begin begins a transaction, which outlives ctx.
	Begin(ctx context.Context, opts TxOptions) error
	// Commit commits the transaction that Begin began. The transaction is over,
	// whatever Commit returns.
	Commit(ctx context.Context) error
	// Rollback rolls back the transaction that Begin began. The transaction is
	// over, whatever Rollback returns.
	Rollback(ctx context.Context) error
	// Savepoint sets a savepoint in the open transaction.
	Savepoint(ctx context.Context, name string) error
	// RollbackTo undoes what was done since a savepoint and removes it.
	RollbackTo(ctx context.Context, name string) error
	// Release removes a savepoint and keeps what was done since.
	Release(ctx context.Context, name string) error
	// Raw calls fn with the driver's own connection, which fn must not keep.
	// What fn does bypasses the chain.
	Raw(fn func(driverConn any) error) error
	// Close gives the connection back to the pool, or closes it for good if
	// discard is set. An open transaction is rolled back.
	Close(discard bool) error
}

// A Batcher is a [Conn] that can send statements of different functions
// together.
type Batcher interface {
	// BatchFuncs calls functions in order, each of which runs one statement
	// with the connection, and sends the statements in one round trip. It is
	// called in a transaction. See engine.Conn.BatchFuncs.
	BatchFuncs(fns []func())
}

// TxOptions are the properties of a transaction.
type TxOptions struct {
	// Isolation is the isolation level; [sql.LevelDefault] is the database's own.
	Isolation sql.IsolationLevel
	// ReadOnly says that the transaction changes nothing. The database refuses
	// writes in it.
	ReadOnly bool
}
