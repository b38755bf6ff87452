package proxy

import (
	"context"
	"time"

	"github.com/sessionproxy/sessionproxy/orm"
)

// submit plans a method of an awaited session and hands it to the queue. It
// waits for what the plan depends on, and for a place in the queue.
func submit[T any](ctx context.Context, a *AsyncSession, t *orm.Task[T]) Future[T] {
	if workerOf(ctx) == a.queue {
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
	stream := a.streams.last()
	if stream != nil && t.Barrier() {
		return Settled(t.Apply(ctx, errBehindStream)) // nobody could close the stream while it is waited for
	}
	j := &method[T]{job: job[T]{work: work{ctx: ctx, single: t.Single(), done: make(chan struct{})}}, task: t}
	j.work.task = j
	if a.timed {
		j.submitted, j.meters = time.Now(), a.meters
	}
	if err := a.queue.submit(&j.work); err != nil {
		out, err := t.Apply(ctx, err)
		return Settled(out, err)
	}
	a.ledger.add(&j.work)
	if t.Barrier() {
		a.barrier = &j.work
	}
	if t.Exclusive() {
		_ = j.wait(context.WithoutCancel(ctx)) // the operation's own context ends it
	}
	return after(stream, Future[T]{from: j})
}

// method is a method of a session on its way through the queue.
type method[T any] struct {
	job[T]
	task      *orm.Task[T]
	submitted time.Time // zero: nobody wants to know
	meters    *asyncMeters
}

func (m *method[T]) run(ctx context.Context) error {
	if !m.submitted.IsZero() {
		waited := time.Since(m.submitted)
		m.meters.waited(ctx, waited)
		m.task.Waited(waited)
	}
	return m.task.Perform(ctx)
}

func (m *method[T]) travelled(n int) { m.meters.together(m.ctx, n) }

func (m *method[T]) finish(err error) error {
	m.value, err = m.task.Apply(m.ctx, err)
	return err
}

// ready waits for what has to be settled before a plan is made: the last
// barrier, or, if the plan may read from the database, everything.
func (a *AsyncSession) ready(ctx context.Context, all bool) error {
	if err := a.quiet(ctx); err != nil {
		return err
	}
	if n := len(a.ledger.open); all && n > 0 {
		return a.ledger.settle(ctx, a.ledger.open[n-1])
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
