package sqlite

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/internal/stdsql"
)

// conn is a connection that reads, and for as long as it has a transaction that
// may write, the one that writes.
type conn struct {
	*stdsql.Conn              // the one at work
	reader       *stdsql.Conn // nil in memory, where there is only one
	backend      *backend
}

// Begin implements [engine.BackendConn].
func (c *conn) Begin(ctx context.Context, opts engine.TxOptions) error {
	pool, opts, err := c.backend.forTx(opts)
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

// use takes the writer, if that is the pool and nobody here has it.
func (c *conn) use(ctx context.Context, pool *stdsql.Pool) error {
	if c.reader == nil || pool == c.backend.readers {
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

// Commit implements [engine.BackendConn].
func (c *conn) Commit(ctx context.Context) error {
	defer c.give()
	return c.Conn.Commit(ctx)
}

// Rollback implements [engine.BackendConn].
func (c *conn) Rollback(ctx context.Context) error {
	defer c.give()
	return c.Conn.Rollback(ctx)
}

// outside reports whether a statement is one that writes outside of a
// transaction, which is for the writer to run.
func (c *conn) outside(q engine.Bound) bool { return c.Conn == c.reader && !c.InTx() && !q.ReadOnly }

// Run implements [engine.BackendConn].
func (c *conn) Run(ctx context.Context, q engine.Bound) (engine.Outcome, error) {
	if c.outside(q) {
		if err := c.use(ctx, c.backend.writer); err != nil {
			return engine.Outcome{}, err
		}
		defer c.give()
	}
	return c.Conn.Run(ctx, q)
}

// Batch implements [engine.BackendConn].
func (c *conn) Batch(ctx context.Context, qs []engine.Bound) ([]engine.Outcome, error) {
	if c.Conn == c.reader && !c.InTx() {
		if err := c.use(ctx, c.backend.writer); err != nil {
			return nil, err
		}
		defer c.give()
	}
	return c.Conn.Batch(ctx, qs)
}

// Open implements [engine.BackendConn].
func (c *conn) Open(ctx context.Context, q engine.Bound, window int) (engine.Cursor, error) {
	if !c.outside(q) {
		return c.Conn.Open(ctx, q, window)
	}
	return c.backend.writer.Open(ctx, q, window)
}

// Close implements [engine.BackendConn].
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
