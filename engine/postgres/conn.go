package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// speaker runs single statements.
type speaker interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// runner runs statements: a pool, a connection or a transaction.
type runner interface {
	speaker
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// conn is a connection, or the transaction of a unit of work. It is used by one
// goroutine at a time.
type conn struct {
	database *database
	pool     *pool            // nil for a unit of work
	conn     *pgxdb.PoolConn  // nil for a unit of work, which has the transaction alone
	tx       pgx.Tx           // nil outside of a transaction
	batch    *pgxdb.BatchConn // of the function of BatchFuncs that runs, or nil
}

var _ backend.Conn = (*conn)(nil)

func (c *conn) runner() runner {
	if c.tx != nil {
		return c.tx
	}
	return c.conn
}

// Execute implements [backend.Conn].
func (c *conn) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	if g := c.batchConn(q); g != nil {
		out, err := run(ctx, g, q)
		return out, aborted(err)
	}
	return run(ctx, c.runner(), q)
}

// Query implements [backend.Conn].
func (c *conn) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	switch {
	case window < 1:
		if g := c.batchConn(q); g != nil {
			cur, err := open(ctx, g, q)
			if err != nil {
				return nil, aborted(err)
			}
			return cur, nil
		}
		fallthrough
	case !q.Cursor:
		c.alone()
		cur, err := open(ctx, c.runner(), q)
		if err != nil {
			return nil, err
		}
		return cur, nil
	case c.tx != nil:
		c.alone()
		return c.declare(ctx, q, window)
	}
	// Without a transaction, the stream has one of its own.
	if err := c.Begin(ctx, backend.TxOptions{}); err != nil {
		return nil, err
	}
	s, err := c.declare(ctx, q, window)
	if err != nil {
		return nil, errors.Join(err, c.undo(ctx))
	}
	s.ownTx = c
	return s, nil
}

// Begin implements [backend.Conn].
func (c *conn) Begin(ctx context.Context, opts backend.TxOptions) error {
	c.alone()
	o, err := txOptions(opts)
	if err != nil {
		return err
	}
	c.tx, err = c.conn.BeginTx(ctx, o)
	if err != nil {
		c.tx = nil // an interface with a nil in it, otherwise
	}
	return err
}

// Commit implements [backend.Conn]. If ctx has ended, COMMIT can't be sent, and
// Commit rolls back: pgx would close the connection.
func (c *conn) Commit(ctx context.Context) error {
	c.alone()
	if err := ctx.Err(); err != nil {
		return errors.Join(err, c.undo(ctx))
	}
	tx := c.tx
	c.tx = nil
	return rolledBack(tx.Commit(ctx))
}

// Rollback implements [backend.Conn].
func (c *conn) Rollback(ctx context.Context) error {
	c.alone()
	if ctx.Err() != nil {
		return c.undo(ctx)
	}
	tx := c.tx
	c.tx = nil
	return tx.Rollback(ctx)
}

// cleanup bounds a ROLLBACK that has no context of its own.
const cleanup = 5 * time.Second

// undo rolls back, even if ctx has ended.
func (c *conn) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	tx := c.tx
	c.tx = nil
	err := tx.Rollback(ctx)
	if errors.Is(err, pgx.ErrTxClosed) {
		return nil
	}
	return err
}

// Savepoint implements [backend.Conn].
func (c *conn) Savepoint(ctx context.Context, name string) error {
	return c.exec(ctx, "SAVEPOINT "+name)
}

// RollbackTo implements [backend.Conn].
func (c *conn) RollbackTo(ctx context.Context, name string) error {
	return c.exec(ctx, "ROLLBACK TO SAVEPOINT "+name+"; RELEASE SAVEPOINT "+name)
}

// Release implements [backend.Conn].
func (c *conn) Release(ctx context.Context, name string) error {
	return c.exec(ctx, "RELEASE SAVEPOINT "+name)
}

func (c *conn) exec(ctx context.Context, text string) error {
	c.alone()
	_, err := c.tx.Exec(ctx, text)
	return err
}

// Raw implements [backend.Conn].
func (c *conn) Raw(fn func(driverConn any) error) error {
	c.alone()
	switch {
	case c.tx != nil:
		return fn(c.tx.Conn())
	case c.conn != nil:
		return fn(c.conn.Unwrap())
	}
	return fmt.Errorf("there is no connection: %w", errors.ErrUnsupported)
}

// Close implements [backend.Conn].
func (c *conn) Close(discard bool) error {
	if c.conn == nil {
		return nil
	}
	var err error
	if c.tx != nil {
		err = c.undo(context.Background())
	}
	if discard {
		ctx, cancel := context.WithTimeout(context.Background(), cleanup)
		defer cancel()
		err = errors.Join(err, c.conn.Close(ctx))
	}
	c.conn.Release()
	c.conn = nil
	c.database.leave(c.pool, true)
	return err
}
