package proxy

import (
	"context"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/event"
	"github.com/sessionproxy/sessionproxy/orm/inspect"
)

// Proxy has one set of methods for both kinds of session, so that you write
// code once: methods that may wait for the database return futures, which on a
// blocking session are settled and cost nothing. The functions of this package,
// such as [Get], accept it too.
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
// Methods that the underlying session does not support return an
// [*UnsupportedError].
type Proxy struct {
	face     face
	blocking *Session // nil: of an async session
	awaited  *AsyncSession
}

// New returns a proxy of a session: a *Session, an *AsyncSession, or the
// session of another proxy.
func New(h Handle) *Proxy {
	s, a := h.handle()
	if a != nil {
		return &Proxy{face: a, awaited: a}
	}
	return &Proxy{face: settledSession{s}, blocking: s}
}

func (p *Proxy) handle() (*Session, *AsyncSession) { return p.blocking, p.awaited }

// IsAsync reports whether the session is an async one.
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

// Add is [orm.Session.Add].
func (p *Proxy) Add(obj any) error { return p.face.Add(obj) }

// AddAll is [orm.Session.AddAll].
func (p *Proxy) AddAll(objs ...any) error { return p.face.AddAll(objs...) }

// Attach is [orm.Session.Attach].
func (p *Proxy) Attach(obj any) error { return p.face.Attach(obj) }

// AttachChanged is [orm.Session.AttachChanged].
func (p *Proxy) AttachChanged(obj, original any) error { return p.face.AttachChanged(obj, original) }

// Expire is [orm.Session.Expire].
func (p *Proxy) Expire(obj any, fields ...string) error { return p.face.Expire(obj, fields...) }

// ExpireAll is [orm.Session.ExpireAll].
func (p *Proxy) ExpireAll() { p.face.ExpireAll() }

// Expunge is [orm.Session.Expunge].
func (p *Proxy) Expunge(obj any) error { return p.face.Expunge(obj) }

// ExpungeAll is [orm.Session.ExpungeAll].
func (p *Proxy) ExpungeAll() { p.face.ExpungeAll() }

// IsModified is [orm.Session.IsModified].
func (p *Proxy) IsModified(obj any) bool { return p.face.IsModified(obj) }

// IsExpired is [orm.Session.IsExpired].
func (p *Proxy) IsExpired(obj any) bool { return p.face.IsExpired(obj) }

// Contains is [orm.Session.Contains].
func (p *Proxy) Contains(obj any) bool { return p.face.Contains(obj) }

// New is [orm.Session.New].
func (p *Proxy) New() iter.Seq[any] { return p.face.New() }

// Dirty is [orm.Session.Dirty].
func (p *Proxy) Dirty() iter.Seq[any] { return p.face.Dirty() }

// Deleted is [orm.Session.Deleted].
func (p *Proxy) Deleted() iter.Seq[any] { return p.face.Deleted() }

// InTransaction is [orm.Session.InTransaction].
func (p *Proxy) InTransaction() bool { return p.face.InTransaction() }

// InNestedTransaction is [orm.Session.InNestedTransaction].
func (p *Proxy) InNestedTransaction() bool { return p.face.InNestedTransaction() }

// IsActive is [orm.Session.IsActive].
func (p *Proxy) IsActive() bool { return p.face.IsActive() }

// Bind returns the engine of the session.
func (p *Proxy) Bind() *engine.Engine { return p.face.Bind() }

// NoAutoflush calls fn with autoflush off for the methods called in it.
func (p *Proxy) NoAutoflush(fn func() error) error { return p.face.NoAutoflush(fn) }

// Begin is [orm.Session.Begin].
func (p *Proxy) Begin(ctx context.Context) Completion {
	return p.face.Begin(ctx)
}

// Flush is [orm.Session.Flush].
func (p *Proxy) Flush(ctx context.Context) Completion {
	return p.face.Flush(ctx)
}

// Commit is [orm.Session.Commit]; see [AsyncSession.Commit].
func (p *Proxy) Commit(ctx context.Context) Completion {
	return p.face.Commit(ctx)
}

// Rollback is [orm.Session.Rollback].
func (p *Proxy) Rollback(ctx context.Context) Completion {
	return p.face.Rollback(ctx)
}

// Close is [orm.Session.Close]; see [AsyncSession.Close].
func (p *Proxy) Close(ctx context.Context) Completion {
	return p.face.Close(ctx)
}

// Aclose is [AsyncSession.Aclose]; a blocking session does not support it.
func (p *Proxy) Aclose(ctx context.Context) Completion {
	return p.face.Aclose(ctx)
}

// Reset is [orm.Session.Reset].
func (p *Proxy) Reset(ctx context.Context) Completion {
	return p.face.Reset(ctx)
}

// Invalidate is [orm.Session.Invalidate].
func (p *Proxy) Invalidate(ctx context.Context) Completion {
	return p.face.Invalidate(ctx)
}

// Delete is [orm.Session.Delete].
func (p *Proxy) Delete(ctx context.Context, obj any) Completion {
	return p.face.Delete(ctx, obj)
}

// Refresh is [orm.Session.Refresh].
func (p *Proxy) Refresh(ctx context.Context, obj any, opts ...orm.GetOption) Completion {
	return p.face.Refresh(ctx, obj, opts...)
}

// Execute is [orm.Session.Execute].
func (p *Proxy) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	return p.face.Execute(ctx, st)
}

// Connection is [orm.Session.Connection].
func (p *Proxy) Connection(ctx context.Context) Future[*engine.Conn] {
	return p.face.Connection(ctx)
}

// Stream is [AsyncSession.Stream]. A blocking session does not support it: use
// [orm.Session.Stream], whose rows are read without awaiting.
func (p *Proxy) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[AsyncResult] {
	return p.face.Stream(ctx, st, opts...)
}

// StreamScalars is [AsyncSession.StreamScalars]. A blocking session does not
// support it; see [Proxy.Stream].
func (p *Proxy) StreamScalars(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) Future[Stream[any]] {
	return p.face.StreamScalars(ctx, st, opts...)
}

// With calls fn with the proxy, and closes the session at the end, whatever fn
// returns. Only what fn has committed is committed.
func (p *Proxy) With(ctx context.Context, fn func(ctx context.Context, p *Proxy) error) error {
	if p.awaited != nil {
		return p.awaited.With(ctx, func(ctx context.Context, _ *AsyncSession) error { return fn(ctx, p) })
	}
	return p.blocking.With(ctx, func(ctx context.Context, _ *Session) error { return fn(ctx, p) })
}

// All is [orm.Session.All].
func (p *Proxy) All() iter.Seq[any] { return p.face.All() }

// Inspect is [orm.Session.Inspect].
func (p *Proxy) Inspect(obj any) (inspect.State, error) { return p.face.Inspect(obj) }

// Info is [orm.Session.Info].
func (p *Proxy) Info() map[any]any { return p.face.Info() }

// Listen is [orm.Session.Listen]; see [AsyncSession.Listen].
func (p *Proxy) Listen(l event.Listener[*orm.Session]) (stop func()) { return p.face.Listen(l) }
