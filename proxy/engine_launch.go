package proxy

import (
	"context"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
)

// inUnit marks the context of a unit of work of an engine, whose operations
// need no place: the unit waits for them.
type inUnit struct{ engine *AsyncEngine }

// launch performs an operation of the engine itself on a goroutine of its own,
// when there is a place for it, for which it waits.
func launch[T any](ctx context.Context, e *AsyncEngine, perform func(ctx context.Context) (T, error)) Future[T] {
	if ctx.Value(inUnit{e}) != nil {
		return Spawn(ctx, perform)
	}
	select {
	case e.places <- struct{}{}:
	default:
		select {
		case e.places <- struct{}{}:
		case <-ctx.Done():
			var zero T
			return Settled(zero, context.Cause(ctx))
		}
	}
	op := queue.New(ctx, failures, false, perform, nil)
	go func() {
		defer func() { <-e.places }()
		op.Run(ctx)
	}()
	return futureOf(op, nil)
}

// nothing makes an operation without a result one with an empty one.
func nothing(fn func(ctx context.Context) error) func(ctx context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }
}

// complete forgets an empty result.
func complete(f Future[struct{}]) Completion { return Completion{f} }

// The states of something that is taken from a pool for whoever awaits it.
const (
	unclaimed int32 = iota
	claimed         // an Await has returned it
	forgone         // it was given back, because nobody did in time
)

// claimable is a future of something that has to be given back, such as a
// connection. It is given back when the operation's context ends before anyone
// was handed it.
type claimable[T any] struct {
	Future[T]
	ctx   context.Context // the operation's
	state atomic.Int32
	stop  func() bool // of watching ctx, set when there is something to give back
}

// claim launches an operation of the engine whose result has to be given back.
func claim[T any](
	ctx context.Context, e *AsyncEngine, take func(ctx context.Context) (T, error), giveBack func(ctx context.Context, value T),
) Future[T] {
	c := &claimable[T]{ctx: ctx}
	c.Future = launch(ctx, e, func(ctx context.Context) (T, error) {
		value, err := take(ctx)
		if err == nil {
			c.stop = context.AfterFunc(ctx, func() {
				if c.state.CompareAndSwap(unclaimed, forgone) {
					giveBack(context.WithoutCancel(ctx), value)
				}
			})
		}
		return value, err
	})
	return Future[T]{from: c}
}

func (c *claimable[T]) await(ctx context.Context) (T, error) {
	value, err := c.Future.Await(ctx)
	if err != nil {
		return value, err
	}
	c.state.CompareAndSwap(unclaimed, claimed)
	if c.state.Load() == forgone {
		var none T
		return none, context.Cause(c.ctx)
	}
	c.stop()
	return value, nil
}

func (c *claimable[T]) signal() <-chan struct{} { return c.Done() }
