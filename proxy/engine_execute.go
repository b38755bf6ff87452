package proxy

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
)

// An AsyncExecutor runs statements without blocking: an [AsyncEngine], each in
// a transaction of its own; an [AsyncConnection] or an [AsyncTransaction], in
// the transaction that is open on the connection. It is the async form of
// [engine.Executor].
type AsyncExecutor interface {
	// Execute runs a statement and buffers its result, so that nothing is left
	// to await.
	Execute(ctx context.Context, st engine.Statement) Future[*engine.Result]
	// ExecuteMany runs a statement once for each set of arguments; see
	// [engine.Executor].
	ExecuteMany(ctx context.Context, st *engine.TextStatement, sets ...[]any) Future[*engine.Result]
	// ExecuteBatch runs statements in order; see [engine.Executor].
	ExecuteBatch(ctx context.Context, sts ...engine.Statement) Future[[]*engine.Result]
	// Scalar runs a statement and returns the first column of its first row,
	// nil if it is NULL or there is no row.
	Scalar(ctx context.Context, st engine.Statement) Future[any]
	// Stream runs a statement and holds one window of its rows in memory.
	Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult]
	// StreamScalars is Stream for the values of the first column.
	StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[Stream[any]]
	// Dialect describes the database.
	Dialect() *engine.Dialect
}

// Execute runs a statement in a transaction of its own and buffers its answer;
// see [engine.Engine.Execute].
func (e *AsyncEngine) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	return launch(ctx, e, execute(e.engine, st))
}

// ExecuteMany runs a statement once for each set of arguments, all in one
// transaction; see [engine.Engine.ExecuteMany].
func (e *AsyncEngine) ExecuteMany(ctx context.Context, st *engine.TextStatement, sets ...[]any) Future[*engine.Result] {
	return launch(ctx, e, executeMany(e.engine, st, sets))
}

// ExecuteBatch runs statements in order, all in one transaction; see
// [engine.Engine.ExecuteBatch].
func (e *AsyncEngine) ExecuteBatch(ctx context.Context, sts ...engine.Statement) Future[[]*engine.Result] {
	return launch(ctx, e, executeBatch(e.engine, sts))
}

// Scalar runs a statement in a transaction of its own and returns the first
// column of its first row, nil if it is NULL or there is no row.
func (e *AsyncEngine) Scalar(ctx context.Context, st engine.Statement) Future[any] {
	return launch(ctx, e, scalar(e.engine, st))
}

// Execute runs a statement and buffers its answer; see [engine.Conn.Execute].
func (c *AsyncConnection) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	return single(ctx, c, execute(c.conn, st))
}

// ExecuteMany runs a statement once for each set of arguments; see
// [engine.Executor].
func (c *AsyncConnection) ExecuteMany(ctx context.Context, st *engine.TextStatement, sets ...[]any) Future[*engine.Result] {
	return do(ctx, c, executeMany(c.conn, st, sets))
}

// ExecuteBatch runs statements in order; see [engine.Executor].
func (c *AsyncConnection) ExecuteBatch(ctx context.Context, sts ...engine.Statement) Future[[]*engine.Result] {
	return do(ctx, c, executeBatch(c.conn, sts))
}

// Scalar runs a statement and returns the first column of its first row, nil if
// it is NULL or there is no row.
func (c *AsyncConnection) Scalar(ctx context.Context, st engine.Statement) Future[any] {
	return single(ctx, c, scalar(c.conn, st))
}

// Execute runs a statement in the transaction and buffers its answer.
func (t *AsyncTransaction) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	return single(ctx, t.conn, execute(t.tx, st))
}

// ExecuteMany runs a statement once for each set of arguments; see
// [engine.Executor].
func (t *AsyncTransaction) ExecuteMany(ctx context.Context, st *engine.TextStatement, sets ...[]any) Future[*engine.Result] {
	return do(ctx, t.conn, executeMany(t.tx, st, sets))
}

// ExecuteBatch runs statements in order; see [engine.Executor].
func (t *AsyncTransaction) ExecuteBatch(ctx context.Context, sts ...engine.Statement) Future[[]*engine.Result] {
	return do(ctx, t.conn, executeBatch(t.tx, sts))
}

// Scalar runs a statement in the transaction and returns the first column of
// its first row, nil if it is NULL or there is no row.
func (t *AsyncTransaction) Scalar(ctx context.Context, st engine.Statement) Future[any] {
	return single(ctx, t.conn, scalar(t.tx, st))
}

// The operations that all of them have, on whatever runs a statement.

func execute(ex engine.Executor, st engine.Statement) func(ctx context.Context) (*engine.Result, error) {
	return func(ctx context.Context) (*engine.Result, error) { return ex.Execute(ctx, st) }
}

func executeMany(
	ex engine.Executor, st *engine.TextStatement, sets [][]any,
) func(ctx context.Context) (*engine.Result, error) {
	return func(ctx context.Context) (*engine.Result, error) { return ex.ExecuteMany(ctx, st, sets...) }
}

func executeBatch(ex engine.Executor, sts []engine.Statement) func(ctx context.Context) ([]*engine.Result, error) {
	return func(ctx context.Context) ([]*engine.Result, error) { return ex.ExecuteBatch(ctx, sts...) }
}

func scalar(ex engine.Executor, st engine.Statement) func(ctx context.Context) (any, error) {
	return func(ctx context.Context) (any, error) {
		res, err := ex.Execute(ctx, st)
		if err != nil {
			return nil, err
		}
		return res.Scalar()
	}
}
