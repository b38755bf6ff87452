package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
	"github.com/sessionproxy/sessionproxy/proxy/internal/stream"
)

// An AsyncConnection is an [engine.Conn] whose methods do not block: they
// return futures. Its operations run one after the other, in the order in
// which they were asked for, with the outcome that a blocking connection has;
// asking for one waits only if too many wait already, see
// [WithConnectionQueue]. The context of an operation governs the operation,
// that of Await the wait alone. On PostgreSQL, statements of a transaction that
// wait together are sent in one round trip; see [engine.Conn.BatchFuncs].
//
// An operation runs whether it is awaited or not. The error of one that nobody
// has awaited is not lost: [AsyncConnection.Commit] then rolls back and returns
// it, [AsyncConnection.Close] returns it.
//
// An open [Stream] keeps the operations after it waiting, until it is closed or
// read to its end. Commit, Rollback and Close end it. Awaiting an operation
// that waits for a stream, while nobody reads it, would last for ever: it is an
// error that matches [engine.ErrConnBusy], and the operation goes on waiting.
//
// An AsyncConnection has to be closed. It is used by one goroutine at a time.
type AsyncConnection struct {
	engine  *AsyncEngine
	conn    *engine.Conn // its operations' alone
	queue   *queue.Queue
	due     queue.Unapplied
	streams stream.List
	state   atomic.Uint32 // of conn, after the last operation that is through

	mu     sync.Mutex
	active []*AsyncTransaction // those that have not ended, as far as is known
}

var _ AsyncExecutor = (*AsyncConnection)(nil)

// What state holds.
const (
	inTransaction = 1 << iota
	inNestedTransaction
)

// connection returns the awaited flavour of a connection.
func (e *AsyncEngine) connection(c *engine.Conn) *AsyncConnection {
	a := &AsyncConnection{engine: e, conn: c, queue: queue.NewQueue(e.config.waiting, failures)}
	if e.config.pipelining {
		a.queue.Pipeline(func(fns []func()) { c.BatchFuncs(fns...) })
	}
	return a
}

// do queues an operation of the connection.
func do[T any](ctx context.Context, c *AsyncConnection, fn func(ctx context.Context) (T, error)) Future[T] {
	return queued(ctx, c, false, fn)
}

// single queues an operation of one statement, which may be sent with others.
func single[T any](ctx context.Context, c *AsyncConnection, fn func(ctx context.Context) (T, error)) Future[T] {
	return queued(ctx, c, true, fn)
}

func queued[T any](ctx context.Context, c *AsyncConnection, single bool, fn func(ctx context.Context) (T, error)) Future[T] {
	before := c.streams.Last()
	return after(before, enqueue(ctx, c.queue, &c.due, single, func(ctx context.Context) (T, error) {
		defer c.observe()
		return fn(ctx)
	}))
}

// finally queues an operation that ends something. It ends the streams, and
// runs also when ctx is over, as fn sees.
func (c *AsyncConnection) finally(ctx context.Context, fn func(ctx context.Context) error) Completion {
	c.streams.End(ctx)
	return complete(enqueue(context.WithoutCancel(ctx), c.queue, &c.due, false, func(context.Context) (struct{}, error) {
		defer c.observe()
		return struct{}{}, fn(c.queue.Enter(ctx))
	}))
}

// observe notes what an operation has left.
func (c *AsyncConnection) observe() {
	var state uint32
	if c.conn.InTransaction() {
		state |= inTransaction
	}
	if c.conn.InNestedTransaction() {
		state |= inNestedTransaction
	}
	c.state.Store(state)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active = slices.DeleteFunc(c.active, func(t *AsyncTransaction) bool {
		t.ended.Store(!t.tx.IsActive())
		return t.ended.Load()
	})
}

// Engine returns the engine the connection belongs to.
func (c *AsyncConnection) Engine() *AsyncEngine { return c.engine }

// Dialect describes the database.
func (c *AsyncConnection) Dialect() *engine.Dialect { return c.engine.Dialect() }

// InTransaction reports whether the operations that are through have left a
// transaction open.
func (c *AsyncConnection) InTransaction() bool { return c.state.Load()&inTransaction != 0 }

// InNestedTransaction reports whether the operations that are through have
// left a savepoint open.
func (c *AsyncConnection) InNestedTransaction() bool { return c.state.Load()&inNestedTransaction != 0 }

// RunSync performs fn, a blocking function, on the connection, which it has to
// itself until it returns:
//
//	err := conn.RunSync(ctx, func(ctx context.Context, c *engine.Conn) error {
//		return createAll(ctx, c)
//	}).Await(ctx)
//
// fn may use the awaited connection as well, with the context it was given: its
// operations then run at once. It must not keep the blocking one.
func (c *AsyncConnection) RunSync(ctx context.Context, fn func(ctx context.Context, conn *engine.Conn) error) Completion {
	return complete(do(ctx, c, nothing(func(ctx context.Context) error { return fn(ctx, c.conn) })))
}

// Invalidate marks the connection as one that must not be used again: Close
// will close it for good.
func (c *AsyncConnection) Invalidate(ctx context.Context) Completion {
	return complete(do(ctx, c, nothing(func(context.Context) error {
		c.conn.Invalidate()
		return nil
	})))
}

// Close rolls back what was not committed and gives the connection back to the
// pool, after the operations before it. It does so also when ctx is over, and
// whether it is awaited or not. Its error holds those of operations that nobody
// has awaited. Closing twice does nothing.
//
// Defer it without Await: Go evaluates what a deferred call is made on at once,
// so that defer conn.Close(ctx).Await(ctx) would close the connection there and
// then.
func (c *AsyncConnection) Close(ctx context.Context) Completion {
	return c.finally(ctx, func(ctx context.Context) error {
		err := c.queue.Unseen()
		if err != nil {
			err = fmt.Errorf("proxy: close: operations failed that nobody awaited: %w", err)
		}
		return errors.Join(err, c.conn.Close(ctx))
	})
}
