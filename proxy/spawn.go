package proxy

import "context"

// Spawn runs fn on a goroutine of its own and returns a future of its result.
// fn runs with ctx, to its end, whether it is awaited or not. A panic becomes a
// [*PanicError]. fn must not use a session that others use meanwhile.
func Spawn[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) Future[T] {
	j := newJob(ctx, fn, nil)
	go j.run(ctx)
	return Future[T]{from: j}
}
