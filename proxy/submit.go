package proxy

import (
	"context"
	"time"

	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
	"github.com/sessionproxy/sessionproxy/proxy/internal/stream"
)

// submit plans a method of an async session and hands it to the queue. It
// waits for what the plan depends on, and for a place in the queue.
func submit[T any](ctx context.Context, a *AsyncSession, t *orm.Task[T]) Future[T] {
	if queue.Of(ctx) == a.queue {
		// An operation of the session asks, which has the session to itself.
		t.Plan(ctx)
		return Settled(t.Apply(ctx, t.Perform(ctx)))
	}
	if err := a.ready(ctx, t.Reads()); err != nil {
		var none T
		return Settled(none, err)
	}
	t.Plan(ctx)
	if t.Local() {
		return Settled(t.Apply(ctx, t.Perform(ctx)))
	}
	before := a.streams.Last()
	if before != nil && t.Barrier() {
		return Settled(t.Apply(ctx, stream.ErrBehind)) // nobody could close the stream while it is waited for
	}
	m := &methodOperation[T]{task: t}
	m.InitTask(ctx, failures, t.Single(), m)
	if a.timed {
		m.submitted, m.meters = time.Now(), a.meters
	}
	if err := a.queue.Submit(&m.Operation); err != nil {
		out, err := t.Apply(ctx, err)
		return Settled(out, err)
	}
	a.due.Add(&m.Operation)
	if t.Barrier() {
		a.barrier = &m.Operation
	}
	if t.Exclusive() {
		_ = m.Wait(context.WithoutCancel(ctx)) // the operation's own context ends it
	}
	return after(before, futureOf(&m.Typed, nil))
}

// methodOperation is a method of a session on its way through the queue.
type methodOperation[T any] struct {
	queue.Typed[T]
	task      *orm.Task[T]
	submitted time.Time // zero: nobody wants to know
	meters    *asyncMeters
}

// Run does the I/O of the method.
func (m *methodOperation[T]) Run(ctx context.Context) error {
	if !m.submitted.IsZero() {
		waited := time.Since(m.submitted)
		m.meters.waited(ctx, waited)
		m.task.Waited(waited)
	}
	return m.task.Perform(ctx)
}

// Travelled counts the statements that were sent in one round trip.
func (m *methodOperation[T]) Travelled(n int) { m.meters.together(m.Context(), n) }

// Finish writes back what the database has answered.
func (m *methodOperation[T]) Finish(err error) error {
	value, err := m.task.Apply(m.Context(), err)
	m.SetValue(value)
	return err
}

// ready waits for what has to be settled before a plan is made: the last
// barrier, or, if the plan may read from the database, everything.
func (a *AsyncSession) ready(ctx context.Context, all bool) error {
	if err := a.quiet(ctx); err != nil {
		return err
	}
	if all {
		return a.due.ApplyAll(ctx)
	}
	return nil
}

// convert is a future of what fn makes of a result.
func convert[T, U any](f Future[T], fn func(T) U) Future[U] {
	if f.from == nil {
		if f.err != nil {
			var none U
			return Settled(none, f.err)
		}
		return Settled(fn(f.value), nil)
	}
	return Then(f, func(_ context.Context, v T) (U, error) { return fn(v), nil })
}

// failures are what operations fail with when it is not their own error.
var failures = &queue.Errors{
	Closed: ErrClosed,
	Goexit: ErrGoexit,
	Panic:  func(value any, stack []byte) error { return &PanicError{Value: value, Stack: stack} },
}

// pending is an operation as the source of a future.
type pending[T any] struct{ *queue.Typed[T] }

func (p pending[T]) await(ctx context.Context) (T, error) { return p.Await(ctx) }

func (p pending[T]) signal() <-chan struct{} { return p.Done() }

// futureOf returns the future of an operation, or of the error with which it
// was refused.
func futureOf[T any](op *queue.Typed[T], refused error) Future[T] {
	if refused != nil {
		var zero T
		return Settled(zero, refused)
	}
	return Future[T]{from: pending[T]{op}}
}

// enqueue hands an operation of a session to its queue: perform is its I/O,
// which runs on the queue's goroutine. It waits only for a place in the queue.
func enqueue[T any](
	ctx context.Context, q *queue.Queue, due *queue.Unapplied, single bool, perform func(ctx context.Context) (T, error),
) Future[T] {
	op := queue.New(ctx, failures, single, perform, nil)
	return futureOf(op, due.Enqueue(ctx, q, &op.Operation))
}

// Spawn runs fn on a goroutine of its own and returns a future of its result.
// fn runs with ctx, to its end, whether or not it is awaited. A panic becomes a
// [*PanicError]. fn must not use a session that is in use elsewhere.
func Spawn[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) Future[T] {
	op := queue.New(ctx, failures, false, fn, nil)
	go op.Run(ctx)
	return futureOf(op, nil)
}
