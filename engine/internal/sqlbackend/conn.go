package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Conn is a connection of a [Pool], or the transaction of a unit of work. It is
// used by one goroutine at a time.
type Conn struct {
	pool   *Pool
	handle *handle   // nil for a unit of work, which has the transaction alone
	conn   *sql.Conn // likewise
	tx     *sql.Tx   // nil outside of a transaction
	end    context.CancelCauseFunc

	suspect bool // the connection may be in a transaction
}

var _ backend.Conn = (*Conn)(nil)

func (c *Conn) runner() runner {
	if c.tx != nil {
		return c.tx
	}
	return c.conn
}

// Execute implements [backend.Conn].
func (c *Conn) Execute(ctx context.Context, q backend.BoundStatement) (backend.Result, error) {
	return c.pool.run(ctx, c.runner(), q)
}

// Batch implements [backend.Conn].
func (c *Conn) Batch(ctx context.Context, qs []backend.BoundStatement) ([]backend.Result, error) {
	return c.pool.batch(ctx, c.runner(), qs)
}

// Query implements [backend.Conn]. Rows are read from the driver one by
// one, whatever the window.
func (c *Conn) Query(ctx context.Context, q backend.BoundStatement, window int) (backend.Cursor, error) {
	ctx = c.pool.streaming(ctx, window, true)
	rows, err := c.runner().QueryContext(ctx, q.Text, q.Args...) //nolint:rowserrcheck,sqlclosecheck // the cursor's to check and close
	if err != nil {
		return nil, err
	}
	return &cursor{rows: rows, pool: c.pool}, nil
}

// Begin implements [backend.Conn]. database/sql rolls a transaction back
// when the context of its BEGIN ends, so that gets one which follows ctx for
// BEGIN only.
func (c *Conn) Begin(ctx context.Context, opts backend.TxOptions) error {
	o := &sql.TxOptions{Isolation: opts.Isolation, ReadOnly: opts.ReadOnly}
	if ctx.Done() == nil {
		tx, err := c.conn.BeginTx(ctx, o)
		c.tx = tx
		return err
	}
	life, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	tx, err := c.conn.BeginTx(life, o)
	if !stop() { // ctx has ended, and life with it
		if err == nil {
			_ = tx.Rollback()
		}
		end(nil)
		return ctx.Err()
	}
	if err != nil {
		end(nil)
		return err
	}
	c.tx, c.end = tx, end
	return nil
}

// over forgets the transaction.
func (c *Conn) over() {
	c.tx = nil
	if c.end != nil {
		c.end(nil)
		c.end = nil
	}
}

// Commit implements [backend.Conn]. A COMMIT can't be cancelled with
// database/sql: ctx is looked at before it is sent.
func (c *Conn) Commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return errors.Join(err, c.undo())
	}
	tx := c.tx
	defer c.over()
	err := tx.Commit()
	if err == nil || errors.Is(err, fault.ErrCommitUnknown) || errors.Is(err, sql.ErrTxDone) {
		return err
	}
	// An empty chain judges nothing.
	v := fault.Of(err, fault.Situation{Phase: fault.PhaseCommit, InTx: true})
	if v.Outcome == fault.OutcomeUnknown {
		return &fault.CommitError{Err: err}
	}
	return err
}

// Rollback implements [backend.Conn].
func (c *Conn) Rollback(context.Context) error { return c.undo() }

// undo rolls the transaction back. If that fails, nobody knows what the
// connection is in, and it is not used again: unless SQLite says that it had
// rolled back itself.
func (c *Conn) undo() error {
	tx := c.tx
	defer c.over()
	err := tx.Rollback()
	switch {
	case err == nil, errors.Is(err, sql.ErrTxDone):
		return err
	case strings.Contains(err.Error(), "no transaction is active"):
		return nil
	}
	c.suspect = true
	return err
}

// Savepoint implements [backend.Conn].
func (c *Conn) Savepoint(ctx context.Context, name string) error {
	return c.exec(ctx, "SAVEPOINT "+name)
}

// RollbackTo implements [backend.Conn].
func (c *Conn) RollbackTo(ctx context.Context, name string) error {
	if err := c.exec(ctx, "ROLLBACK TO SAVEPOINT "+name); err != nil {
		return err
	}
	return c.Release(ctx, name)
}

// Release implements [backend.Conn].
func (c *Conn) Release(ctx context.Context, name string) error {
	return c.exec(ctx, "RELEASE SAVEPOINT "+name)
}

func (c *Conn) exec(ctx context.Context, text string) error {
	_, err := c.tx.ExecContext(ctx, text)
	return err
}

// Raw implements [backend.Conn].
func (c *Conn) Raw(fn func(driverConn any) error) error {
	if c.conn == nil {
		return fmt.Errorf("the connection of a unit of work can't be reached: %w", errors.ErrUnsupported)
	}
	return c.conn.Raw(func(dc any) error {
		raw := sqldb.Raw(dc)
		if inner, ok := raw.(interface{ Raw() driver.Conn }); ok { // a dialect's own
			raw = inner.Raw()
		}
		return fn(raw)
	})
}

// Close implements [backend.Conn].
func (c *Conn) Close(broken bool) error {
	if c.conn == nil {
		return nil
	}
	var err error
	if c.tx != nil {
		err = c.undo()
	}
	if broken || c.suspect {
		err = errors.Join(err, discard(c.conn))
	}
	if cerr := c.conn.Close(); !errors.Is(cerr, sql.ErrConnDone) {
		err = errors.Join(err, cerr)
	}
	c.conn = nil
	c.pool.leave(c.handle, true)
	return err
}

// InTx reports whether a transaction is open.
func (c *Conn) InTx() bool { return c.tx != nil }
