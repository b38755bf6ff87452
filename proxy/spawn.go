package proxy

import (
	"context"

	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
)

// Spawn runs fn on a goroutine of its own and returns a future of its result.
// fn runs with ctx, to its end, whether it is awaited or not. A panic becomes a
// [*PanicError]. fn must not use a session that others use meanwhile.
func Spawn[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) Future[T] {
	op := queue.New(ctx, failures, false, fn, nil)
	go op.Run(ctx)
	return futureOf(op, nil)
}
