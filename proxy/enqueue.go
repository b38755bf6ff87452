package proxy

import "context"

// enqueue hands an operation of a session to its queue: perform is its I/O,
// which runs on the queue's goroutine, apply makes the final result on that of
// the session's owner. It waits only for a place in the queue.
func enqueue[T any](
	ctx context.Context, q *queue, l *ledger, perform func(ctx context.Context) (T, error), apply func(T) (T, error),
) Future[T] {
	return put(ctx, q, l, newJob(ctx, perform, apply))
}

// put is enqueue for a job that was made.
func put[T any](ctx context.Context, q *queue, l *ledger, j *job[T]) Future[T] {
	inside := workerOf(ctx) == q
	if !inside {
		l.settleReady()
	}
	if err := q.submit(&j.work); err != nil {
		var zero T
		return Settled(zero, err)
	}
	if inside {
		j.settle() // the operation that asks owns the session now
	} else {
		l.add(&j.work)
	}
	return Future[T]{from: j}
}
