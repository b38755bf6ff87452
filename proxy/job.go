package proxy

import (
	"context"
	"runtime/debug"
	"sync/atomic"
)

// job is an operation with a result, on its way through a queue.
type job[T any] struct {
	work
	value T
}

// newJob returns a job whose result comes from perform. apply, if not nil, then
// makes the final result on the goroutine of the session's owner.
func newJob[T any](ctx context.Context, perform func(ctx context.Context) (T, error), apply func(T) (T, error)) *job[T] {
	j := &job[T]{work: work{ctx: ctx, done: make(chan struct{})}}
	j.perform = func(ctx context.Context) (err error) {
		j.value, err = perform(ctx)
		return err
	}
	if apply != nil {
		j.apply = func() (err error) {
			j.value, err = apply(j.value)
			return err
		}
	}
	return j
}

func (j *job[T]) await(ctx context.Context) (T, error) {
	if err := j.wait(ctx); err != nil {
		var zero T
		return zero, err
	}
	j.seen.Store(true)
	return j.value, j.err
}

func (j *job[T]) signal() <-chan struct{} { return j.done }

// task is an operation in two parts, of which the second comes whatever came of
// the first.
type task interface {
	run(ctx context.Context) error // the I/O, on the worker's goroutine
	finish(err error) error        // the rest, on the owner's
}

// work is the part of a job that does not depend on its result's type.
type work struct {
	ctx     context.Context                 //nolint:containedctx // the operation's own, from its submission to its end
	perform func(ctx context.Context) error // the I/O, on the worker's goroutine
	apply   func() error                    // the rest, on the owner's; nil: nothing
	task    task                            // in place of perform and apply; nil: these
	ledger  *ledger                         // the session's; nil: of no session
	queue   *queue                          // the one it is in; nil: of no session
	single  bool                            // one statement, which may be sent with others

	inner   workerContext // ctx on the worker's goroutine
	done    chan struct{} // closed when performed
	failure error         // of perform, set before done is closed
	err     error         // the same; after settle, that of apply too
	settled bool          // applied; the owner's
	seen    atomic.Bool   // the result was returned to somebody
}

// wait waits for the work and for all of the session's before it, and applies
// their results in program order. Its error is about the wait.
func (w *work) wait(ctx context.Context) error {
	if w.ledger != nil && !w.settled {
		return w.ledger.settle(ctx, w)
	}
	return w.performed(ctx)
}

// performed waits until the work was performed.
func (w *work) performed(ctx context.Context) error {
	select {
	case <-w.done:
		return nil
	default:
	}
	if w.queue != nil && workerOf(ctx) == w.queue {
		// This is the goroutine that would have to do it.
		w.queue.help(w)
		return nil
	}
	if w.single && ctx.Done() == w.ctx.Done() { // the wait ends with the operation
		w.queue.steal(w)
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run performs the work. Whatever comes of it is in err when done is closed.
func (w *work) run(ctx context.Context) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				w.failure = &PanicError{Value: v, Stack: debug.Stack()}
			} else {
				w.failure = ErrGoexit
			}
		}
		if w.err = w.failure; w.err != nil && w.queue != nil {
			w.queue.note(w)
		}
		close(w.done)
	}()
	switch {
	case w.ctx.Err() != nil:
		w.failure = context.Cause(w.ctx) // cancelled while it was queued
	case w.task != nil:
		w.failure = w.task.run(ctx)
	default:
		w.failure = w.perform(ctx)
	}
	returned = true
}

// settle applies the result of work that was performed.
func (w *work) settle() {
	w.settled = true
	if w.task != nil {
		if w.err = w.task.finish(w.failure); w.failure == nil && w.err != nil {
			w.failure = w.err
			w.queue.note(w)
		}
	}
	if w.apply != nil && w.err == nil {
		w.err = w.apply()
	}
	w.perform, w.apply, w.task = nil, nil, nil // what they hold may be large
}

// ledger is a session's work in program order, as far as its results have not
// been applied. It belongs to the session's owner.
type ledger struct{ open, room []*work }

func (l *ledger) add(w *work) {
	w.ledger = l
	if len(l.open) == 0 {
		l.open = l.room[:0]
	}
	if l.open = append(l.open, w); len(l.open) == 1 {
		l.room = l.open
	}
}

// settleReady applies the results that are there.
func (l *ledger) settleReady() {
	for len(l.open) > 0 {
		select {
		case <-l.open[0].done:
			l.next()
		default:
			return
		}
	}
}

// settle waits for last and what is before it, and applies the results.
func (l *ledger) settle(ctx context.Context, last *work) error {
	for !last.settled {
		if err := l.open[0].performed(ctx); err != nil {
			return err
		}
		l.next()
	}
	return nil
}

// next applies the result of the first open work.
func (l *ledger) next() {
	w := l.open[0]
	l.open[0] = nil
	l.open = l.open[1:]
	w.settle()
}
