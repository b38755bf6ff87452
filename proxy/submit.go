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
