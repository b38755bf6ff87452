package proxy

import (
	"context"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Proxy has one set of methods for both kinds of session, so that code is
// written once: those that may wait for the database return futures, which are
// settled, and cost nothing, on a blocking session. The functions of this
// package, such as [Get], take it too.
//
//	func rename(ctx context.Context, p *proxy.Proxy, id int64, name string) error {
//		user, err := proxy.GetOne[User](ctx, p, id).Await(ctx)
//		if err != nil {
//			return err
//		}
//		user.Name = name
//		return p.Commit(ctx).Await(ctx)
//	}
//
// What one kind of session has not is an [*UnsupportedError].
type Proxy struct {
	blocking *Session
	awaited  *AsyncSession
}

// New returns a proxy of a session: a [*Session], an [*AsyncSession], or what
// another proxy stands before.
func New(h Handle) *Proxy {
	s, a := h.handle()
	return &Proxy{s, a}
}

func (p *Proxy) handle() (*Session, *AsyncSession) { return p.blocking, p.awaited }

// IsAsync reports whether the session is an awaited one.
func (p *Proxy) IsAsync() bool { return p.awaited != nil }

// Session returns the session the proxy was made of.
func (p *Proxy) Session() Handle {
	if p.awaited != nil {
		return p.awaited
	}
	return p.blocking
}

// Equal reports whether two are the same session.
func (p *Proxy) Equal(other Handle) bool {
	if other == nil {
		return false
	}
	s, a := other.handle()
	return p.blocking == s && p.awaited == a
}

// inMemory are the methods that need no database.
type inMemory interface {
	Add(obj any) error
	AddAll(objs ...any) error
	Attach(obj any) error
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
	InTransaction() bool
	InNestedTransaction() bool
	IsActive() bool
	Bind() *engine.Engine
	NoAutoflush(fn func() error) error
}

var (
	_ inMemory = (*Session)(nil)
	_ inMemory = (*AsyncSession)(nil)
)

func (p *Proxy) local() inMemory {
	if p.awaited != nil {
		return p.awaited
	}
	return p.blocking
}

// Add is [orm.Session.Add].
func (p *Proxy) Add(obj any) error { return p.local().Add(obj) }

// AddAll is [orm.Session.AddAll].
func (p *Proxy) AddAll(objs ...any) error { return p.local().AddAll(objs...) }

// Attach is [orm.Session.Attach].
func (p *Proxy) Attach(obj any) error { return p.local().Attach(obj) }

// Expire is [orm.Session.Expire].
func (p *Proxy) Expire(obj any, fields ...string) error { return p.local().Expire(obj, fields...) }

// ExpireAll is [orm.Session.ExpireAll].
func (p *Proxy) ExpireAll() { p.local().ExpireAll() }

// Expunge is [orm.Session.Expunge].
func (p *Proxy) Expunge(obj any) error { return p.local().Expunge(obj) }

// ExpungeAll is [orm.Session.ExpungeAll].
func (p *Proxy) ExpungeAll() { p.local().ExpungeAll() }

// IsModified is [orm.Session.IsModified].
func (p *Proxy) IsModified(obj any) bool { return p.local().IsModified(obj) }

// IsExpired is [orm.Session.IsExpired].
func (p *Proxy) IsExpired(obj any) bool { return p.local().IsExpired(obj) }

// Contains is [orm.Session.Contains].
func (p *Proxy) Contains(obj any) bool { return p.local().Contains(obj) }

// New is [orm.Session.New].
func (p *Proxy) New() iter.Seq[any] { return p.local().New() }

// Dirty is [orm.Session.Dirty].
func (p *Proxy) Dirty() iter.Seq[any] { return p.local().Dirty() }

// Deleted is [orm.Session.Deleted].
func (p *Proxy) Deleted() iter.Seq[any] { return p.local().Deleted() }

// InTransaction is [orm.Session.InTransaction].
func (p *Proxy) InTransaction() bool { return p.local().InTransaction() }

// InNestedTransaction is [orm.Session.InNestedTransaction].
func (p *Proxy) InNestedTransaction() bool { return p.local().InNestedTransaction() }

// IsActive is [orm.Session.IsActive].
func (p *Proxy) IsActive() bool { return p.local().IsActive() }

// Bind returns the engine of the session.
func (p *Proxy) Bind() *engine.Engine { return p.local().Bind() }

// NoAutoflush calls fn with autoflush off for the methods called in it.
func (p *Proxy) NoAutoflush(fn func() error) error { return p.local().NoAutoflush(fn) }

// Begin is [orm.Session.Begin].
func (p *Proxy) Begin(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Begin(ctx)
	}
	return Completed(p.blocking.Begin(ctx))
}

// Flush is [orm.Session.Flush].
func (p *Proxy) Flush(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Flush(ctx)
	}
	return Completed(p.blocking.Flush(ctx))
}

// Commit is [orm.Session.Commit]; see [AsyncSession.Commit].
func (p *Proxy) Commit(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Commit(ctx)
	}
	return Completed(p.blocking.Commit(ctx))
}

// Rollback is [orm.Session.Rollback].
func (p *Proxy) Rollback(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Rollback(ctx)
	}
	return Completed(p.blocking.Rollback(ctx))
}

// Close is [orm.Session.Close]; see [AsyncSession.Close].
func (p *Proxy) Close(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Close(ctx)
	}
	return Completed(p.blocking.Close(ctx))
}

// Aclose is [AsyncSession.Aclose]. A blocking session has none.
func (p *Proxy) Aclose(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Aclose(ctx)
	}
	return Completed(errBlockingAclose)
}

// Reset is [orm.Session.Reset].
func (p *Proxy) Reset(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Reset(ctx)
	}
	return Completed(p.blocking.Reset(ctx))
}

// Invalidate is [orm.Session.Invalidate].
func (p *Proxy) Invalidate(ctx context.Context) Completion {
	if p.awaited != nil {
		return p.awaited.Invalidate(ctx)
	}
	return Completed(p.blocking.Invalidate(ctx))
}

// Delete is [orm.Session.Delete].
func (p *Proxy) Delete(ctx context.Context, obj any) Completion {
	if p.awaited != nil {
		return p.awaited.Delete(ctx, obj)
	}
	return Completed(p.blocking.Delete(ctx, obj))
}

// Refresh is [orm.Session.Refresh].
func (p *Proxy) Refresh(ctx context.Context, obj any, opts ...orm.GetOption) Completion {
	if p.awaited != nil {
		return p.awaited.Refresh(ctx, obj, opts...)
	}
	return Completed(p.blocking.Refresh(ctx, obj, opts...))
}

// Execute is [orm.Session.Execute].
func (p *Proxy) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	if p.awaited != nil {
		return p.awaited.Execute(ctx, st)
	}
	return Settled(p.blocking.Execute(ctx, st))
}

// Connection is [orm.Session.Connection].
func (p *Proxy) Connection(ctx context.Context) Future[*engine.Conn] {
	if p.awaited != nil {
		return p.awaited.Connection(ctx)
	}
	return Settled(p.blocking.Connection(ctx))
}

// Stream is [AsyncSession.Stream]. A blocking session has none.
func (p *Proxy) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	if p.awaited != nil {
		return p.awaited.Stream(ctx, st, opts...)
	}
	return Settled(AsyncResult{}, error(errBlockingStream))
}

// StreamScalars is [AsyncSession.StreamScalars]. A blocking session has none.
func (p *Proxy) StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncScalarResult] {
	if p.awaited != nil {
		return p.awaited.StreamScalars(ctx, st, opts...)
	}
	return Settled(AsyncScalarResult{}, error(errBlockingScalars))
}

// With calls fn with the proxy, and closes the session at the end, whatever
// comes of fn. Nothing is committed that fn has not committed.
func (p *Proxy) With(ctx context.Context, fn func(ctx context.Context, p *Proxy) error) error {
	if p.awaited != nil {
		return p.awaited.With(ctx, func(ctx context.Context, _ *AsyncSession) error { return fn(ctx, p) })
	}
	return p.blocking.With(ctx, func(ctx context.Context, _ *Session) error { return fn(ctx, p) })
}
