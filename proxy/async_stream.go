package proxy

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy/internal/stream"
)

// The operations of the methods that a blocking session does not have.
var (
	opStream        = sp.SessionOp("stream")
	opStreamScalars = sp.SessionOp("stream_scalars")
)

// Stream flushes, runs a statement in the session's transaction and holds one
// window of its rows in memory. Until the stream is closed or read to its end,
// or ctx ends, the operations after it wait, and methods that would have to
// wait for it are refused; Commit, Rollback and Close end it.
func (a *AsyncSession) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openIn(ctx, a, opStream, st, func(conn *engine.Conn) opening[engine.Row] { return rowsOf(conn, st, opts) })
}

// StreamScalars is Stream for the values of the first column.
func (a *AsyncSession) StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncScalarResult] {
	return openIn(ctx, a, opStreamScalars, st, func(conn *engine.Conn) opening[any] { return scalarsOf(conn, st, opts) })
}

// openIn opens a stream in a session.
func openIn[T any](ctx context.Context, a *AsyncSession, op sp.Op, st engine.Statement, how func(conn *engine.Conn) opening[T]) Future[Stream[T]] {
	s := stream.New(ctx, a.queue, a.waiting, failures, ctx)
	var open Stream[T]
	f := convert(submit(ctx, a, a.core.Tasks().UseConn(op, func(ctx context.Context, conn *engine.Conn) (err error) {
		open, err = how(conn).perform(s)(ctx)
		return err
	})), func(struct{}) Stream[T] {
		open.from.origin = origin{a.core, st}
		return open
	})
	if f.from == nil {
		return f // refused, or by an operation of the session
	}
	s.Announce(f.Done(), f.wait)
	a.streams.Add(s)
	return f
}
