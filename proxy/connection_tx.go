package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Begin begins a transaction; see [engine.Conn.Begin].
func (c *AsyncConnection) Begin(ctx context.Context, opts ...engine.TxOption) Future[*AsyncTransaction] {
	return do(ctx, c, func(ctx context.Context) (*AsyncTransaction, error) {
		return c.transactionOf(c.conn.Begin(ctx, opts...))
	})
}

// BeginNested sets a savepoint, after beginning a transaction if there is
// none.
func (c *AsyncConnection) BeginNested(ctx context.Context) Future[*AsyncTransaction] {
	return do(ctx, c, func(ctx context.Context) (*AsyncTransaction, error) { return c.transactionOf(c.conn.BeginNested(ctx)) })
}

// Commit commits the open transaction with all its savepoints; without one it
// does nothing. The transaction ends, whatever Commit returns; see
// [engine.Conn.Commit].
//
// If an earlier operation has failed and nobody has awaited it, the transaction
// is rolled back, and the error of Commit wraps its error.
func (c *AsyncConnection) Commit(ctx context.Context) Completion {
	return c.commit(ctx, c.conn.Commit, c.conn.Rollback)
}

// Rollback rolls back the open transaction with all its savepoints; without
// one it does nothing. The transaction ends, whatever Rollback returns. Errors
// of earlier unawaited operations are discarded.
func (c *AsyncConnection) Rollback(ctx context.Context) Completion {
	return c.rollback(ctx, c.conn.Rollback)
}

// commit queues the end of a transaction that is to be kept.
func (c *AsyncConnection) commit(ctx context.Context, commit, rollback func(ctx context.Context) error) Completion {
	return c.finally(ctx, func(ctx context.Context) error {
		if err := c.queue.Unseen(); err != nil {
			err = fmt.Errorf("proxy: commit: nothing is committed, because operations failed that nobody awaited: %w", err)
			return errors.Join(err, rollback(ctx))
		}
		return commit(ctx)
	})
}

// rollback queues the end of a transaction that is not to be kept.
func (c *AsyncConnection) rollback(ctx context.Context, rollback func(ctx context.Context) error) Completion {
	return c.finally(ctx, func(ctx context.Context) error {
		_ = c.queue.Unseen() // what they did is undone
		return rollback(ctx)
	})
}

// An AsyncTransaction is an [engine.Tx], a transaction or a savepoint, whose
// methods do not block. Its operations are those of its connection, in one
// order with all others of the connection; see [AsyncConnection].
//
// An AsyncTransaction is used by one goroutine at a time, as its connection is.
type AsyncTransaction struct {
	conn  *AsyncConnection
	tx    *engine.Tx // its operations' alone
	ended atomic.Bool
}

var _ AsyncExecutor = (*AsyncTransaction)(nil)

// transaction returns the async flavour of a transaction on the connection.
func (c *AsyncConnection) transaction(tx *engine.Tx) *AsyncTransaction {
	t := &AsyncTransaction{conn: c, tx: tx}
	c.mu.Lock()
	c.active = append(c.active, t)
	c.mu.Unlock()
	c.observe()
	return t
}

func (c *AsyncConnection) transactionOf(tx *engine.Tx, err error) (*AsyncTransaction, error) {
	if err != nil {
		return nil, err
	}
	return c.transaction(tx), nil
}

// Connection returns the transaction's connection.
func (t *AsyncTransaction) Connection() *AsyncConnection { return t.conn }

// Dialect describes the database.
func (t *AsyncTransaction) Dialect() *engine.Dialect { return t.conn.Dialect() }

// IsActive reports whether the transaction is open after the operations that
// have finished.
func (t *AsyncTransaction) IsActive() bool { return !t.ended.Load() }

// Nested reports whether this is a savepoint.
func (t *AsyncTransaction) Nested() bool { return t.tx.Nested() }

// BeginNested sets a savepoint inside the transaction. Its end does not end the
// transaction around it.
func (t *AsyncTransaction) BeginNested(ctx context.Context) Future[*AsyncTransaction] {
	return do(ctx, t.conn, func(ctx context.Context) (*AsyncTransaction, error) {
		return t.conn.transactionOf(t.tx.BeginNested(ctx))
	})
}

// Commit commits the transaction, or keeps what was done since the savepoint;
// see [engine.Tx.Commit]. Like [AsyncConnection.Commit] it rolls the
// transaction back if an unawaited operation in it has failed.
func (t *AsyncTransaction) Commit(ctx context.Context) Completion {
	if t.Nested() {
		return t.conn.finally(ctx, t.tx.Commit)
	}
	return t.conn.commit(ctx, t.tx.Commit, t.tx.Rollback)
}

// Rollback undoes the transaction, or the work since the savepoint, and ends
// it, whatever Rollback returns.
func (t *AsyncTransaction) Rollback(ctx context.Context) Completion {
	if t.Nested() {
		return t.conn.finally(ctx, t.tx.Rollback)
	}
	return t.conn.rollback(ctx, t.tx.Rollback)
}

// Close rolls the transaction back if it has not ended, even if ctx has ended,
// and whether or not it is awaited. Defer it, without Await, see
// [AsyncConnection.Close]: after Commit it does nothing.
func (t *AsyncTransaction) Close(ctx context.Context) Completion {
	return t.conn.finally(ctx, t.tx.Close)
}

// RunSync runs fn, a blocking function, in the transaction, with exclusive use
// of its connection until it returns; see [AsyncConnection.RunSync].
func (t *AsyncTransaction) RunSync(ctx context.Context, fn func(ctx context.Context, tx *engine.Tx) error) Completion {
	return complete(do(ctx, t.conn, nothing(func(ctx context.Context) error { return fn(ctx, t.tx) })))
}
