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
// return futures. Its operations run one after the other, in the order of the
// calls, with the same outcome as on a blocking connection; a call blocks only
// if the queue is full, see [WithQueue]. The context of an operation
// governs the operation, that of Await only the wait. On PostgreSQL, statements
// of a transaction that wait at the same time are sent in one round trip; see
// [engine.Conn.BatchFuncs].
//
// An operation runs whether or not it is awaited. The error of an unawaited
// operation is not lost: [AsyncConnection.Commit] then rolls back and returns
// it, [AsyncConnection.Close] returns it.
//
// An open [Stream] makes the operations after it wait, until it is closed or
// read to its end. Commit, Rollback and Close end it. Awaiting an operation
// that waits for a stream nobody reads would block forever: the error matches
// [engine.ErrConnBusy], and the operation keeps waiting.
//
// An AsyncConnection has to be closed. It is used by one goroutine at a time.
type AsyncConnection struct {
	engine  *AsyncEngine
	conn    *engine.Conn // its operations' alone
	queue   *queue.Queue
	due     queue.Unapplied
	streams stream.List
	state   atomic.Uint32             // of conn, after the last operation that has finished
	root    atomic.Pointer[engine.Tx] // its transaction, likewise
	top     atomic.Pointer[engine.Tx] // the innermost savepoint, likewise

	mu     sync.Mutex
	active []*AsyncTransaction // those that have not ended, as far as is known
}

var _ AsyncExecutor = (*AsyncConnection)(nil)

// What state holds.
const (
	inTransaction = 1 << iota
	inNestedTransaction
)

// connection returns the async flavour of a connection.
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
	c.root.Store(c.conn.Transaction())
	c.top.Store(c.conn.NestedTransaction())
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

// InTransaction reports whether a transaction is open after the operations that
// have finished.
func (c *AsyncConnection) InTransaction() bool { return c.state.Load()&inTransaction != 0 }

// InNestedTransaction reports whether a savepoint is open after the operations
// that have finished.
func (c *AsyncConnection) InNestedTransaction() bool { return c.state.Load()&inNestedTransaction != 0 }

// Transaction returns the transaction that is open after the operations that
// have finished, or nil.
func (c *AsyncConnection) Transaction() *AsyncTransaction { return c.open(c.root.Load()) }

// NestedTransaction returns the innermost savepoint that is open after the
// operations that have finished, or nil.
func (c *AsyncConnection) NestedTransaction() *AsyncTransaction { return c.open(c.top.Load()) }

// open returns the async form of a transaction that is open.
func (c *AsyncConnection) open(tx *engine.Tx) *AsyncTransaction {
	if tx == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.active {
		if t.tx == tx {
			return t
		}
	}
	t := &AsyncTransaction{conn: c, tx: tx}
	c.active = append(c.active, t)
	return t
}

// RunSync runs fn, a blocking function, with exclusive use of the connection
// until it returns:
//
//	err := conn.RunSync(ctx, func(ctx context.Context, c *engine.Conn) error {
//		return createAll(ctx, c)
//	}).Await(ctx)
//
// fn may also use the async connection, with the context it was given: its
// operations then run at once. It must not keep the blocking one.
func (c *AsyncConnection) RunSync(ctx context.Context, fn func(ctx context.Context, conn *engine.Conn) error) Completion {
	return complete(do(ctx, c, nothing(func(ctx context.Context) error { return fn(ctx, c.conn) })))
}

// Invalidate marks the connection as unusable: Close will close it for good.
func (c *AsyncConnection) Invalidate(ctx context.Context) Completion {
	return complete(do(ctx, c, nothing(func(context.Context) error {
		c.conn.Invalidate()
		return nil
	})))
}

// Close rolls back what was not committed and returns the connection to the
// pool, after the operations before it. It does so even if ctx has ended, and
// whether or not it is awaited. Its error wraps those of unawaited operations.
// Closing twice does nothing.
//
// Defer it without Await: Go evaluates the receiver of a deferred call
// immediately, so defer conn.Close(ctx).Await(ctx) would close the connection
// at once.
func (c *AsyncConnection) Close(ctx context.Context) Completion {
	return c.finally(ctx, func(ctx context.Context) error {
		err := c.queue.Unseen()
		if err != nil {
			err = fmt.Errorf("proxy: close: operations failed that nobody awaited: %w", err)
		}
		return errors.Join(err, c.conn.Close(ctx))
	})
}
