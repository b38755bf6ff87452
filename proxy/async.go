package proxy

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/event"
	"github.com/sessionproxy/sessionproxy/orm/inspect"
	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
	"github.com/sessionproxy/sessionproxy/proxy/internal/stream"
)

// AsyncSession is the async session: its methods return futures. They run one
// after the other, in the order of the calls, on a goroutine that exists only
// while there is work; a method that needs no database is done at once.
//
// The session and its objects belong to one goroutine at a time, as a blocking
// session does. What a flush sends is recorded when the method is called, so
// that you may change objects while it runs; what comes back is written into
// them inside Await, in program order, or when the next method is called. A
// method that depends on an earlier one blocks until that has finished: a flush
// after a flush, anything after a commit.
//
// Statements that wait at the same time are sent together if the database
// supports it, see [WithPipelining].
//
// An operation runs whether or not its future is awaited. If an unawaited
// operation fails, Commit commits nothing and returns its error, and so does
// Close.
type AsyncSession struct {
	core    *orm.Session
	queue   *queue.Queue
	due     queue.Unapplied
	barrier *queue.Operation // the last that has to be applied before others are planned
	streams stream.List
	waiting int
	meters  *asyncMeters
	timed   bool // somebody wants to know how long operations wait
}

// NewAsyncSession returns an async session on an engine. It has to be closed.
// For options of its queue, and metrics, use a [Maker].
func NewAsyncSession(eng *engine.Engine, opts ...orm.Option) *AsyncSession {
	c := defaultAsyncConfig()
	c.session = opts
	return newAsync(eng, c)
}

func newAsync(eng *engine.Engine, c asyncConfig) *AsyncSession {
	return asyncOf(orm.NewSession(eng, c.session...), c)
}

// asyncOf returns the async form of a session.
func asyncOf(core *orm.Session, c asyncConfig) *AsyncSession {
	eng := core.Bind()
	a := &AsyncSession{core: core, queue: queue.NewQueue(c.waiting, failures), waiting: c.waiting}
	if c.pipelining && eng.Dialect().Features.Pipelining {
		a.queue.Pipeline(func(fns []func()) { a.core.Tasks().BatchFuncs(fns...) })
	}
	a.meters, a.timed = c.meters, c.meters != nil || eng.Handler() != nil
	return a
}

func (a *AsyncSession) handle() (*Session, *AsyncSession) { return nil, a }

// quiet waits until what the session knows is settled, for methods that look
// at it or change it.
func (a *AsyncSession) quiet(ctx context.Context) error {
	a.due.ApplyReady()
	if a.barrier == nil {
		return nil
	}
	if err := a.barrier.Wait(ctx); err != nil {
		return err
	}
	a.barrier = nil
	return nil
}

// local is quiet for methods without a context.
func (a *AsyncSession) local() *orm.Session {
	_ = a.quiet(context.Background()) // which is never over
	return a.core
}

// Add is [orm.Session.Add].
func (a *AsyncSession) Add(obj any) error { return a.local().Add(obj) }

// AddAll is [orm.Session.AddAll].
func (a *AsyncSession) AddAll(objs ...any) error { return a.local().AddAll(objs...) }

// Attach is [orm.Session.Attach].
func (a *AsyncSession) Attach(obj any) error { return a.local().Attach(obj) }

// AttachChanged is [orm.Session.AttachChanged].
func (a *AsyncSession) AttachChanged(obj, original any) error {
	return a.local().AttachChanged(obj, original)
}

// Expire is [orm.Session.Expire].
func (a *AsyncSession) Expire(obj any, fields ...string) error {
	return a.local().Expire(obj, fields...)
}

// ExpireAll is [orm.Session.ExpireAll].
func (a *AsyncSession) ExpireAll() { a.local().ExpireAll() }

// Expunge is [orm.Session.Expunge].
func (a *AsyncSession) Expunge(obj any) error { return a.local().Expunge(obj) }

// ExpungeAll is [orm.Session.ExpungeAll].
func (a *AsyncSession) ExpungeAll() { a.local().ExpungeAll() }

// IsModified is [orm.Session.IsModified].
func (a *AsyncSession) IsModified(obj any) bool { return a.local().IsModified(obj) }

// IsExpired is [orm.Session.IsExpired].
func (a *AsyncSession) IsExpired(obj any) bool { return a.local().IsExpired(obj) }

// Contains is [orm.Session.Contains].
func (a *AsyncSession) Contains(obj any) bool { return a.local().Contains(obj) }

// New is [orm.Session.New].
func (a *AsyncSession) New() iter.Seq[any] { return a.local().New() }

// Dirty is [orm.Session.Dirty].
func (a *AsyncSession) Dirty() iter.Seq[any] { return a.local().Dirty() }

// Deleted is [orm.Session.Deleted].
func (a *AsyncSession) Deleted() iter.Seq[any] { return a.local().Deleted() }

// InTransaction is [orm.Session.InTransaction].
func (a *AsyncSession) InTransaction() bool { return a.local().InTransaction() }

// InNestedTransaction is [orm.Session.InNestedTransaction].
func (a *AsyncSession) InNestedTransaction() bool { return a.local().InNestedTransaction() }

// IsActive is [orm.Session.IsActive].
func (a *AsyncSession) IsActive() bool { return a.local().IsActive() }

// Transaction returns the session's transaction that is open, or nil.
func (a *AsyncSession) Transaction() *Transaction { return New(a).Transaction() }

// NestedTransaction returns the innermost savepoint that is open, or nil.
func (a *AsyncSession) NestedTransaction() *AsyncNested {
	if n := a.local().NestedTransaction(); n != nil {
		return &AsyncNested{a, n}
	}
	return nil
}

// Bind returns the engine of the session.
func (a *AsyncSession) Bind() *engine.Engine { return a.core.Bind() }

// NoAutoflush calls fn with autoflush off for the methods called in it.
func (a *AsyncSession) NoAutoflush(fn func() error) error { return a.local().NoAutoflush(fn) }

// Begin is [orm.Session.Begin].
func (a *AsyncSession) Begin(ctx context.Context) Completion {
	if err := a.quiet(ctx); err != nil {
		return completed(err)
	}
	return completed(a.core.Begin(ctx))
}

// BeginNested is [orm.Session.BeginNested].
func (a *AsyncSession) BeginNested(ctx context.Context) Future[*AsyncNested] {
	return convert(submit(ctx, a, a.core.Tasks().BeginNested()), func(n *orm.Nested) *AsyncNested { return &AsyncNested{a, n} })
}

// Flush is [orm.Session.Flush].
func (a *AsyncSession) Flush(ctx context.Context) Completion {
	return complete(submit(ctx, a, a.core.Tasks().Flush()))
}

// Commit is [orm.Session.Commit]. If an earlier operation has failed and nobody
// has awaited it, nothing is committed, and the error of Commit wraps its
// error; another Commit then commits what succeeded.
func (a *AsyncSession) Commit(ctx context.Context) Completion {
	a.streams.End(ctx)
	if err := a.unseen(ctx); err != nil {
		return completed(fmt.Errorf("proxy: commit: nothing is committed, because operations failed that nobody awaited: %w", err))
	}
	return complete(submit(ctx, a, a.core.Tasks().Commit()))
}

// unseen waits for all operations and returns the errors of those that nobody
// has awaited.
func (a *AsyncSession) unseen(ctx context.Context) error {
	if queue.Of(ctx) == a.queue {
		return nil
	}
	if err := a.due.ApplyAll(ctx); err != nil {
		return err
	}
	return a.queue.Unseen()
}

// Rollback is [orm.Session.Rollback]. Errors of earlier unawaited operations
// are discarded.
func (a *AsyncSession) Rollback(ctx context.Context) Completion {
	a.forget(ctx)
	return complete(submit(ctx, a, a.core.Tasks().Rollback()))
}

// forget forgets the errors of what is undone.
func (a *AsyncSession) forget(ctx context.Context) {
	a.streams.End(ctx)
	a.due.MarkSeen()
	_ = a.queue.Unseen()
}

// Close is [orm.Session.Close], after the operations before it. Its error wraps
// those of unawaited operations.
func (a *AsyncSession) Close(ctx context.Context) Completion {
	a.streams.End(ctx)
	err := a.unseen(context.WithoutCancel(ctx))
	c := complete(submit(context.WithoutCancel(ctx), a, a.core.Tasks().Close()))
	if err == nil {
		return c
	}
	return Completion{Then(c.future, func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, fmt.Errorf("proxy: close: operations failed that nobody awaited: %w", err)
	})}
}

// Aclose is a synonym of Close, the name of that method in SQLAlchemy's
// AsyncSession.
func (a *AsyncSession) Aclose(ctx context.Context) Completion { return a.Close(ctx) }

// closeForGood is Close, after which operations fail with an error that matches
// [ErrClosed].
func (a *AsyncSession) closeForGood(ctx context.Context) Completion {
	c := a.Close(ctx)
	a.queue.Close()
	return c
}

// Reset is [orm.Session.Reset].
func (a *AsyncSession) Reset(ctx context.Context) Completion {
	a.forget(ctx)
	return complete(submit(context.WithoutCancel(ctx), a, a.core.Tasks().Reset()))
}

// Invalidate is [orm.Session.Invalidate].
func (a *AsyncSession) Invalidate(ctx context.Context) Completion {
	a.forget(ctx)
	return complete(submit(context.WithoutCancel(ctx), a, a.core.Tasks().Invalidate()))
}

// Delete is [orm.Session.Delete].
func (a *AsyncSession) Delete(ctx context.Context, obj any) Completion {
	return complete(submit(ctx, a, a.core.Tasks().Delete(obj)))
}

// Refresh is [orm.Session.Refresh].
func (a *AsyncSession) Refresh(ctx context.Context, obj any, opts ...orm.GetOption) Completion {
	return complete(submit(ctx, a, a.core.Tasks().Refresh(obj, opts...)))
}

// Execute is [orm.Session.Execute].
func (a *AsyncSession) Execute(ctx context.Context, st engine.Statement) Future[*engine.Result] {
	return submit(ctx, a, a.core.Tasks().Execute(st))
}

// Connection is [orm.Session.Connection]. Use the connection only while no
// other operation of the session is running.
func (a *AsyncSession) Connection(ctx context.Context) Future[*engine.Conn] {
	return submit(ctx, a, a.core.Tasks().Connection())
}

// With calls fn with the session, and closes it for good at the end, whatever
// fn returns: later operations fail with an error that matches [ErrClosed].
// Only what fn has committed is committed.
func (a *AsyncSession) With(ctx context.Context, fn func(ctx context.Context, a *AsyncSession) error) (err error) {
	defer func() {
		if cerr := a.closeForGood(ctx).Await(context.WithoutCancel(ctx)); err == nil || errors.Is(cerr, err) {
			err = cerr
		}
	}()
	return fn(ctx, a)
}

// AsyncNested is a savepoint of an async session.
type AsyncNested struct {
	session *AsyncSession
	nested  *orm.Nested
}

// IsActive is [orm.Nested.IsActive].
func (n *AsyncNested) IsActive() bool {
	n.session.local()
	return n.nested.IsActive()
}

// Commit is [orm.Nested.Commit].
func (n *AsyncNested) Commit(ctx context.Context) Completion {
	return complete(submit(ctx, n.session, n.session.core.Tasks().CommitNested(n.nested)))
}

// Rollback is [orm.Nested.Rollback].
func (n *AsyncNested) Rollback(ctx context.Context) Completion {
	return complete(submit(ctx, n.session, n.session.core.Tasks().RollbackNested(n.nested)))
}

// All is [orm.Session.All].
func (a *AsyncSession) All() iter.Seq[any] { return a.local().All() }

// Inspect is [orm.Session.Inspect].
func (a *AsyncSession) Inspect(obj any) (inspect.State, error) { return a.local().Inspect(obj) }

// Info is [orm.Session.Info].
func (a *AsyncSession) Info() map[any]any { return a.core.Info() }

// Listen is [orm.Session.Listen]. Call it, and stop, before the session is used,
// or when all of its operations have ended.
func (a *AsyncSession) Listen(l event.Listener[*orm.Session]) (stop func()) {
	return a.local().Listen(l)
}
