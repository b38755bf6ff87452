package proxy

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy/internal/stream"
)

// blockedFuture is the future of an operation that waits for a stream. Awaiting
// it while the stream is open would last for ever, because it is the same
// goroutine that could close it.
type blockedFuture[T any] struct {
	Future[T]
	stream *stream.Stream
}

func (b blockedFuture[T]) await(ctx context.Context) (T, error) {
	select {
	case <-b.Done():
	default:
		if err := b.stream.Blocked(ctx); err != nil {
			var none T
			return none, err
		}
	}
	return b.Future.Await(ctx)
}

func (b blockedFuture[T]) signal() <-chan struct{} { return b.Done() }

// after returns the future of an operation that comes after the streams.
func after[T any](s *stream.Stream, f Future[T]) Future[T] {
	if s == nil || f.from == nil {
		return f
	}
	return Future[T]{from: blockedFuture[T]{f, s}}
}

// opening is what opens a stream whose rows are read by view.
type opening[T any] struct {
	run  func(ctx context.Context) (*engine.Stream, error)
	view func(s *engine.Stream) *engine.Rows[T]
}

// rowsOf returns how the stream of a statement is opened, for its rows.
func rowsOf(ex engine.Executor, st engine.Statement, opts []engine.StreamOption) opening[engine.Row] {
	return opening[engine.Row]{
		run:  func(ctx context.Context) (*engine.Stream, error) { return ex.Stream(ctx, st, opts...) },
		view: func(s *engine.Stream) *engine.Rows[engine.Row] { return &s.Rows },
	}
}

// scalarsOf returns how the stream of a statement is opened, for the values of
// its first column.
func scalarsOf(ex engine.Executor, st engine.Statement, opts []engine.StreamOption) opening[any] {
	return opening[any]{
		run:  rowsOf(ex, st, opts).run,
		view: func(s *engine.Stream) *engine.Rows[any] { return s.Scalars() },
	}
}

// perform returns the operation that opens a stream.
func (o opening[T]) perform(st *stream.Stream) func(ctx context.Context) (Stream[T], error) {
	return func(ctx context.Context) (Stream[T], error) {
		if err := st.Open(ctx, o.run); err != nil {
			return Stream[T]{}, err
		}
		return Stream[T]{&streamReader[T]{stream: st, view: o.view(st.Rows())}}, nil
	}
}

// openOn opens a stream on a connection.
func openOn[T any](ctx context.Context, c *AsyncConnection, o opening[T]) Future[Stream[T]] {
	s := stream.New(ctx, c.queue, c.engine.config.waiting, failures, nil)
	f := do(ctx, c, o.perform(s))
	if f.from == nil {
		return f // refused
	}
	s.Announce(f.Done(), f.wait)
	c.streams.Add(s)
	return f
}

// openAlone opens a stream that has a connection to itself.
func openAlone[T any](ctx context.Context, e *AsyncEngine, o opening[T]) Future[Stream[T]] {
	return launch(ctx, e, o.perform(stream.New(ctx, nil, e.config.waiting, failures, nil)))
}

// Stream runs a statement in a transaction of its own and holds one window of
// its rows in memory. The stream keeps a connection until it is closed or read
// to its end, or ctx ends.
func (e *AsyncEngine) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openAlone(ctx, e, rowsOf(e.engine, st, opts))
}

// StreamScalars is Stream for the values of the first column.
func (e *AsyncEngine) StreamScalars(
	ctx context.Context, st engine.Statement, opts ...engine.StreamOption,
) Future[Stream[any]] {
	return openAlone(ctx, e, scalarsOf(e.engine, st, opts))
}

// Stream runs a statement and holds one window of its rows in memory. Until the
// stream is closed or read to its end, or ctx ends, the operations after it
// wait; see [Stream].
func (c *AsyncConnection) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return openOn(ctx, c, rowsOf(c.conn, st, opts))
}

// StreamScalars is Stream for the values of the first column.
func (c *AsyncConnection) StreamScalars(
	ctx context.Context, st engine.Statement, opts ...engine.StreamOption,
) Future[Stream[any]] {
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
) Future[Stream[any]] {
	return openOn(ctx, t.conn, scalarsOf(t.tx, st, opts))
}

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
func (a *AsyncSession) StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[Stream[any]] {
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
