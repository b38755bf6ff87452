package proxy

import (
	"context"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/event"
	"github.com/sessionproxy/sessionproxy/orm/inspect"
)

// face is what a [Proxy] needs of a session of either kind.
type face interface {
	Add(obj any) error
	AddAll(objs ...any) error
	Attach(obj any) error
	AttachChanged(obj, original any) error
	Expire(obj any, fields ...string) error
	ExpireAll()
	Expunge(obj any) error
	ExpungeAll()
	IsModified(obj any) bool
	IsExpired(obj any) bool
	Contains(obj any) bool
	New() iter.Seq[any]
	Dirty() iter.Seq[any]
	Deleted() iter.Seq[any]
	All() iter.Seq[any]
	Inspect(obj any) (inspect.State, error)
	Info() map[any]any
	Listen(l event.Listener[*orm.Session]) (stop func())
	InTransaction() bool
	InNestedTransaction() bool
	IsActive() bool
	Bind() *engine.Engine
	NoAutoflush(fn func() error) error

	Begin(ctx context.Context) Completion
	Flush(ctx context.Context) Completion
	Commit(ctx context.Context) Completion
	Rollback(ctx context.Context) Completion
	Close(ctx context.Context) Completion
	Aclose(ctx context.Context) Completion
	Reset(ctx context.Context) Completion
	Invalidate(ctx context.Context) Completion
	Delete(ctx context.Context, obj any) Completion
	Refresh(ctx context.Context, obj any, opts ...orm.GetOption) Completion
	Execute(ctx context.Context, st engine.Statement) Future[*engine.Result]
	Connection(ctx context.Context) Future[*engine.Conn]
	Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult]
	StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[Stream[any]]
}

var (
	_ face = (*AsyncSession)(nil)
	_ face = settledSession{}
)

// settledSession is a blocking session whose methods return settled futures.
type settledSession struct{ *Session }

func (s settledSession) Begin(ctx context.Context) Completion { return completed(s.Session.Begin(ctx)) }

func (s settledSession) Flush(ctx context.Context) Completion { return completed(s.Session.Flush(ctx)) }

func (s settledSession) Commit(ctx context.Context) Completion {
	return completed(s.Session.Commit(ctx))
}

func (s settledSession) Rollback(ctx context.Context) Completion {
	return completed(s.Session.Rollback(ctx))
}

func (s settledSession) Close(ctx context.Context) Completion { return completed(s.Session.Close(ctx)) }

func (s settledSession) Aclose(context.Context) Completion { return completed(errBlockingAclose) }

func (s settledSession) Reset(ctx context.Context) Completion { return completed(s.Session.Reset(ctx)) }

func (s settledSession) Invalidate(ctx context.Context) Completion {
	return completed(s.Session.Invalidate(ctx))
}

func (s settledSession) Delete(ctx context.Context, obj any) Completion {
	return completed(s.Session.Delete(ctx, obj))
}

func (s settledSession) Refresh(ctx context.Context, obj any, opts ...orm.GetOption) Completion {
	return completed(s.Session.Refresh(ctx, obj, opts...))
}

func (s settledSession) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	return Settled(s.Session.Execute(ctx, st))
}

func (s settledSession) Connection(ctx context.Context) Future[*engine.Conn] {
	return Settled(s.Session.Connection(ctx))
}

func (s settledSession) Stream(context.Context, engine.Statement, ...engine.StreamOption) Future[AsyncResult] {
	return Settled(AsyncResult{}, error(errBlockingStream))
}

func (s settledSession) StreamScalars(context.Context, engine.Statement, ...engine.StreamOption) Future[Stream[any]] {
	return Settled(Stream[any]{}, error(errBlockingScalars))
}
