package queue

import (
	"context"
	"runtime/debug"
	"sync/atomic"
)

// Task is an operation with two phases; Finish always runs, whether or not Run
// failed.
type Task interface {
	// Run does the I/O, on the queue's goroutine.
	Run(ctx context.Context) error
	// Finish makes the result from the error of Run, on the owner's goroutine.
	Finish(err error) error
}

// A Traveller is a [Task] that is told how many statements its own was sent
// with in one round trip.
type Traveller interface {
	// Travelled is called before the statements are sent.
	Travelled(n int)
}

// An Operation is the part of a [Typed] operation that does not depend on the
// type of its result.
type Operation struct {
	ctx       context.Context                 // the operation's own, from its submission to its end
	perform   func(ctx context.Context) error // the I/O, on the queue's goroutine
	apply     func() error                    // the rest, on the owner's; nil: nothing
	task      Task                            // in place of perform and apply; nil: these
	errs      *Errors
	unapplied *Unapplied // the session's; nil: of no session
	queue     *Queue     // the one it is in; nil: of no session
	single    bool       // one statement, which may be sent with others

	inner   workerContext // ctx on the queue's goroutine
	done    chan struct{} // closed when performed
	failure error         // of perform, set before done is closed
	err     error         // the same; after Apply, that of apply too
	applied bool          // the owner's
	seen    atomic.Bool   // the result was returned to somebody
}

// Typed is an operation with a result of type T.
type Typed[T any] struct {
	Operation
	value T
}

// New returns an operation whose result perform makes. apply, if not nil, then
// makes the final result on the goroutine of the session's owner. single says
// that it is one statement, which may be sent together with others.
func New[T any](
	ctx context.Context, errs *Errors, single bool, perform func(ctx context.Context) (T, error), apply func(T) (T, error),
) *Typed[T] {
	op := &Typed[T]{Operation: Operation{ctx: ctx, errs: errs, single: single, done: make(chan struct{})}}
	op.perform = func(ctx context.Context) (err error) {
		op.value, err = perform(ctx)
		return err
	}
	if apply != nil {
		op.apply = func() (err error) {
			op.value, err = apply(op.value)
			return err
		}
	}
	return op
}

// InitTask makes op an operation that a task performs, which sets the result
// with [Typed.SetValue]. It is for operations that are part of a larger struct.
func (op *Typed[T]) InitTask(ctx context.Context, errs *Errors, single bool, t Task) {
	op.Operation = Operation{ctx: ctx, errs: errs, single: single, task: t, done: make(chan struct{})}
}

// SetValue sets the result.
func (op *Typed[T]) SetValue(v T) { op.value = v }

// Await waits as [Operation.Wait] does and returns the result.
func (op *Typed[T]) Await(ctx context.Context) (T, error) {
	if err := op.Wait(ctx); err != nil {
		var zero T
		return zero, err
	}
	op.seen.Store(true)
	return op.value, op.err
}

// Done is closed when the operation was performed.
func (op *Operation) Done() <-chan struct{} { return op.done }

// Context returns the operation's own context.
func (op *Operation) Context() context.Context { return op.ctx }

// MarkSeen counts the operation's error, if it has one or will, as told.
func (op *Operation) MarkSeen() { op.seen.Store(true) }

// Bind makes the operation one of q without submitting it.
func (op *Operation) Bind(q *Queue) { op.queue = q }

// Wait waits for the operation and for all of the session's before it, and
// applies their results in program order. Its error is about the wait.
func (op *Operation) Wait(ctx context.Context) error {
	if op.unapplied != nil && !op.applied {
		return op.unapplied.applyThrough(ctx, op)
	}
	return op.waitPerformed(ctx)
}

// waitPerformed waits until the operation was performed.
func (op *Operation) waitPerformed(ctx context.Context) error {
	select {
	case <-op.done:
		return nil
	default:
	}
	if op.queue != nil && Of(ctx) == op.queue {
		// This is the goroutine that would have to do it.
		op.queue.help(op)
		return nil
	}
	if op.single && ctx.Done() == op.ctx.Done() { // the wait ends with the operation
		op.queue.steal(op)
	}
	select {
	case <-op.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run performs the operation. Whatever comes of it is known when Done is
// closed.
func (op *Operation) Run(ctx context.Context) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				op.failure = op.errs.Panic(v, debug.Stack())
			} else {
				op.failure = op.errs.Goexit
			}
		}
		if op.err = op.failure; op.err != nil && op.queue != nil {
			op.queue.note(op)
		}
		close(op.done)
	}()
	switch {
	case op.ctx.Err() != nil:
		op.failure = context.Cause(op.ctx) // cancelled while it was queued
	case op.task != nil:
		op.failure = op.task.Run(ctx)
	default:
		op.failure = op.perform(ctx)
	}
	returned = true
}

// Apply applies the result of an operation that was performed. It is called
// once, by the session's owner.
func (op *Operation) Apply() {
	op.applied = true
	if op.task != nil {
		if op.err = op.task.Finish(op.failure); op.failure == nil && op.err != nil {
			op.failure = op.err
			op.queue.note(op)
		}
	}
	if op.apply != nil && op.err == nil {
		op.err = op.apply()
	}
	op.perform, op.apply, op.task = nil, nil, nil // what they hold may be large
}
