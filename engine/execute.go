package engine

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// Execute runs a statement and buffers its result.
func (c *Conn) Execute(ctx context.Context, st Statement) (*Result, error) {
	q, err := bind(c.Dialect(), st)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	if err := c.allows(q); err != nil {
		return nil, err
	}
	out, err := c.conn.Execute(ctx, q)
	if err != nil {
		return nil, describe("execute", c.note(err))
	}
	return newResult(c.Dialect(), out), nil
}

// ExecuteMany runs a statement once for each set of arguments; see
// [Executor].
func (c *Conn) ExecuteMany(ctx context.Context, st *TextStatement, sets ...[]any) (*Result, error) {
	sts := make([]Statement, len(sets))
	for i, args := range sets {
		sts[i] = st.With(args...)
	}
	outs, err := c.batch(ctx, sts)
	if err != nil {
		return nil, err
	}
	return newResult(c.Dialect(), join(outs)), nil
}

// ExecuteBatch runs statements in order; see [Executor].
func (c *Conn) ExecuteBatch(ctx context.Context, sts ...Statement) ([]*Result, error) {
	outs, err := c.batch(ctx, sts)
	results := make([]*Result, len(outs))
	for i, o := range outs {
		results[i] = newResult(c.Dialect(), o)
	}
	return results, err
}

func (c *Conn) batch(ctx context.Context, sts []Statement) ([]backend.Result, error) {
	qs, err := bindAll(c.Dialect(), sts)
	if err != nil {
		return nil, describe("execute", err)
	}
	if err := c.prepare(ctx); err != nil || len(qs) == 0 {
		return nil, err
	}
	if err := c.allows(qs...); err != nil {
		return nil, err
	}
	outs, err := c.conn.Batch(ctx, qs)
	return outs, describe("execute", c.note(err))
}

// Query runs a statement and leaves its result open. Until the cursor is closed
// the connection can do nothing else: the next statement's error matches
// [ErrConnBusy].
func (c *Conn) Query(ctx context.Context, st Statement) (Cursor, error) {
	return c.openCursor(ctx, st, 0)
}

// Stream runs a statement and holds one window of its rows in memory. Until
// the stream is closed or read to its end the connection can do nothing else.
func (c *Conn) Stream(ctx context.Context, st Statement, opts ...StreamOption) (*Stream, error) {
	o, err := newStreamConfig(opts)
	if err != nil {
		return nil, err
	}
	cur, err := c.openCursor(ctx, st, o.window)
	if err != nil {
		return nil, err
	}
	return newStream(c.Dialect(), cur, o.window), nil
}

func (c *Conn) openCursor(ctx context.Context, st Statement, window int) (Cursor, error) {
	q, err := bind(c.Dialect(), st)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	if err := c.allows(q); err != nil {
		return nil, err
	}
	inner, err := c.conn.Query(ctx, q, window)
	if err != nil {
		return nil, describe("execute", c.note(err))
	}
	c.open = &cursor{Cursor: inner, conn: c}
	return c.open, nil
}
