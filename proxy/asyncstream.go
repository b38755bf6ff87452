package proxy

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Stream flushes, runs a statement in the session's transaction and holds one
// window of its rows in memory. Until the stream is closed or read to its end,
// or ctx is over, the operations after it wait, and what would have to be
// settled before others is refused; Commit, Rollback and Close end it.
func (a *AsyncSession) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openIn(ctx, a, sp.OpSessionStream, func(conn *engine.Conn) opening[engine.Row] { return rowsOf(conn, st, opts) })
}

// StreamScalars is Stream for the values of the first column.
func (a *AsyncSession) StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncScalarResult] {
	return openIn(ctx, a, sp.OpSessionStreamScalars, func(conn *engine.Conn) opening[any] { return scalarsOf(conn, st, opts) })
}

// openIn opens a stream in a session.
func openIn[T any](ctx context.Context, a *AsyncSession, op sp.Op, how func(conn *engine.Conn) opening[T]) Future[Stream[T]] {
	an := newAnswer(a.queue, a.waiting)
	an.nested, an.caller = an.inside(ctx), ctx
	f := submit(ctx, a, orm.ConnTask(a.core, op, func(ctx context.Context, conn *engine.Conn) (Stream[T], error) {
		return how(conn).perform(an)(ctx)
	}))
	if f.from == nil {
		return f // refused, or by an operation of the session
	}
	an.opened = f.Done()
	an.opener = func(ctx context.Context) error {
		_, err := f.Await(ctx)
		return err
	}
	a.streams.add(an)
	return f
}
