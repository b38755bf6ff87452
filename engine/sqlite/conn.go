package sqlite

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/sqlbackend"
)

// conn is a reading connection; during a transaction that may write, it is the
// writing one.
type conn struct {
	*sqlbackend.Conn                  // the one at work
	reader           *sqlbackend.Conn // nil in memory, where there is only one
	database         *database
}

// Begin implements [backend.Conn].
func (c *conn) Begin(ctx context.Context, opts backend.TxOptions) error {
	pool, opts, err := c.database.forTx(opts)
	if err != nil {
		return err
	}
	if err := c.use(ctx, pool); err != nil {
		return err
	}
	if err := c.Conn.Begin(ctx, opts); err != nil {
		c.give()
		return err
	}
	return nil
}

// use takes the writer if pool is the writer's. In memory there is only one
// connection, and use does nothing.
func (c *conn) use(ctx context.Context, pool *sqlbackend.Pool) error {
	if c.reader == nil || pool == c.database.readers {
		return nil
	}
	writer, err := pool.Connect(ctx)
	if err != nil {
		return err
	}
	c.Conn = writer
	return nil
}

// give gives the writer back.
func (c *conn) give() {
	if c.reader != nil && c.Conn != c.reader {
		_ = c.Conn.Close(false) // it has no transaction: there is nothing to fail
		c.Conn = c.reader
	}
}

// Commit implements [backend.Conn].
func (c *conn) Commit(ctx context.Context) error {
	defer c.give()
	return c.Conn.Commit(ctx)
}

// Rollback implements [backend.Conn].
func (c *conn) Rollback(ctx context.Context) error {
	defer c.give()
	return c.Conn.Rollback(ctx)
}

// outside reports whether a statement is a write outside of a transaction,
// which the writer must run.
func (c *conn) outside(q backend.BoundStatement) bool {
	return c.Conn == c.reader && !c.InTx() && !q.ReadOnly
}

// Execute implements [backend.Conn].
func (c *conn) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	if c.outside(q) {
		if err := c.use(ctx, c.database.writer); err != nil {
			return backend.Result{}, err
		}
		defer c.give()
	}
	return c.Conn.Execute(ctx, q)
}

// Batch implements [backend.Conn].
func (c *conn) Batch(ctx context.Context, qs []backend.BoundStatement) ([]backend.Result, error) {
	if c.Conn == c.reader && !c.InTx() {
		if err := c.use(ctx, c.database.writer); err != nil {
			return nil, err
		}
		defer c.give()
	}
	return c.Conn.Batch(ctx, qs)
}

// Query implements [backend.Conn].
func (c *conn) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	if !c.outside(q) {
		return c.Conn.Query(ctx, q, window)
	}
	return c.database.writer.Query(ctx, q, window)
}

// Close implements [backend.Conn].
func (c *conn) Close(discard bool) error {
	if c.reader == nil || c.Conn == c.reader {
		return c.Conn.Close(discard)
	}
	err := c.Conn.Close(discard)
	c.Conn = c.reader
	if rerr := c.reader.Close(discard); err == nil {
		err = rerr
	}
	return err
}
