package proxy

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Stream runs a statement in a transaction of its own and holds one window of
// its rows in memory. The stream has a connection until it is closed or read
// to its end, or ctx is over.
func (e *AsyncEngine) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openAlone(ctx, e, rowsOf(e.engine, st, opts))
}

// StreamScalars is Stream for the values of the first column.
func (e *AsyncEngine) StreamScalars(
	ctx context.Context, st engine.Statement, opts ...engine.StreamOption,
) Future[AsyncScalarResult] {
	return openAlone(ctx, e, scalarsOf(e.engine, st, opts))
}

// Stream runs a statement and holds one window of its rows in memory. Until
// the stream is closed or read to its end, or ctx is over, the operations after
// it wait; see [Stream].
func (c *AsyncConnection) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openOn(ctx, c, rowsOf(c.conn, st, opts))
}

// StreamScalars is Stream for the values of the first column.
func (c *AsyncConnection) StreamScalars(
	ctx context.Context, st engine.Statement, opts ...engine.StreamOption,
) Future[AsyncScalarResult] {
	return openOn(ctx, c, scalarsOf(c.conn, st, opts))
}

// Stream runs a statement in the transaction and holds one window of its rows
// in memory; see [AsyncConnection.Stream].
func (t *AsyncTransaction) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openOn(ctx, t.conn, rowsOf(t.tx, st, opts))
}

// StreamScalars is Stream for the values of the first column.
func (t *AsyncTransaction) StreamScalars(
	ctx context.Context, st engine.Statement, opts ...engine.StreamOption,
) Future[AsyncScalarResult] {
	return openOn(ctx, t.conn, scalarsOf(t.tx, st, opts))
}
