package proxy

import (
	"context"

	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
)

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
