package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/fault"
)

// A Conn is one connection of an [Engine], with at most one transaction at a
// time. The first statement begins it, unless [Conn.Begin] did so before or the
// connection was opened with [WithAutocommit]; [Conn.Commit] and
// [Conn.Rollback] end it.
//
// A Conn must be closed. It is used by one goroutine at a time.
type Conn struct {
	engine   *Engine
	conn     backend.Conn
	txConfig txConfig
	root     *Tx     // the transaction, or nil
	top      *Tx     // its innermost savepoint, or root
	open     *cursor // the open result, or nil
	broken   bool    // the connection must not be used again
	closed   bool
}

var _ Executor = (*Conn)(nil)

// Engine returns the engine the connection belongs to.
func (c *Conn) Engine() *Engine { return c.engine }

// Dialect describes the database.
func (c *Conn) Dialect() *Dialect { return c.engine.Dialect() }

// InTransaction reports whether a transaction is open.
func (c *Conn) InTransaction() bool { return c.root != nil }

// InNestedTransaction reports whether a savepoint is open.
func (c *Conn) InNestedTransaction() bool { return c.top != c.root }

// Transaction returns the open transaction, or nil.
func (c *Conn) Transaction() *Tx { return c.root }

// NestedTransaction returns the innermost open savepoint, or nil.
func (c *Conn) NestedTransaction() *Tx {
	if c.top == c.root {
		return nil
	}
	return c.top
}

// Begin begins a transaction, with the connection's options and those given. If
// one is open already, the error matches [ErrTransactionBegun]. The end of ctx
// does not end the transaction.
func (c *Conn) Begin(ctx context.Context, opts ...TxOption) (*Tx, error) {
	o, err := newTxConfig(opts)
	if err != nil {
		return nil, err
	}
	if o.autocommit {
		return nil, errAutocommit
	}
	if c.root != nil {
		return nil, fmt.Errorf("engine: begin: %w", ErrTransactionBegun)
	}
	own := c.txConfig.TxOptions
	if o.Isolation == 0 {
		o.Isolation = own.Isolation
	}
	o.ReadOnly = o.ReadOnly || own.ReadOnly
	if err := c.begin(ctx, o.TxOptions); err != nil {
		return nil, err
	}
	return c.root, nil
}

func (c *Conn) begin(ctx context.Context, o backend.TxOptions) error {
	if err := c.ready(); err != nil {
		return err
	}
	if err := c.conn.Begin(ctx, o); err != nil {
		return describe("begin", c.note(err))
	}
	c.root = &Tx{conn: c}
	c.top = c.root
	return nil
}

// BeginNested sets a savepoint, after beginning a transaction if there is
// none.
func (c *Conn) BeginNested(ctx context.Context) (*Tx, error) {
	if err := c.prepare(ctx); err != nil {
		return nil, err
	}
	if c.root == nil { // autocommit
		if err := c.begin(ctx, c.txConfig.TxOptions); err != nil {
			return nil, err
		}
	}
	return c.nest(ctx)
}

// Commit commits the open transaction with all its savepoints; without one it
// does nothing. The transaction is over, whatever Commit returns. If the COMMIT
// was sent and its answer lost, the error matches [fault.ErrCommitUnknown].
func (c *Conn) Commit(ctx context.Context) error {
	if c.root == nil {
		return nil
	}
	return c.root.Commit(ctx)
}

// Rollback rolls back the open transaction with all its savepoints; without one
// it does nothing. The transaction is over, whatever Rollback returns.
func (c *Conn) Rollback(ctx context.Context) error {
	if c.root == nil {
		return nil
	}
	return c.root.Rollback(ctx)
}

// Close rolls back uncommitted work and returns the connection to the pool. It
// does so even if ctx has ended. Closing twice does nothing.
func (c *Conn) Close(ctx context.Context) error {
	if c.closed {
		return nil
	}
	if c.root != nil && c.root.managed() {
		return fmt.Errorf("engine: close: %w", ErrTransactionManaged)
	}
	return c.release(ctx)
}

// release is Close, also for a transaction that RunInTx manages.
func (c *Conn) release(ctx context.Context) error {
	var err error
	if c.root != nil {
		err = c.root.rollback(ctx)
	}
	c.closeCursor()
	c.closed = true
	return errors.Join(err, describe("close", c.conn.Close(c.broken)))
}

// Raw calls fn with the driver's own connection, for features that this package
// does not offer: a *pgx.Conn on PostgreSQL, the connection of
// go-sql-driver/mysql or of modernc.org/sqlite. fn must not keep it. What you
// do with it bypasses the chain. In a unit of work, which gets only the
// transaction, Raw returns an error.
func (c *Conn) Raw(fn func(driverConn any) error) error {
	if err := c.ready(); err != nil {
		return err
	}
	return describe("raw", c.conn.Raw(fn))
}

// Invalidate marks the connection as one that must not be used again: Close
// will close it for good.
func (c *Conn) Invalidate() { c.broken = true }

// ready returns an error if no statement can be sent.
func (c *Conn) ready() error {
	switch {
	case c.closed:
		return fmt.Errorf("engine: use of a connection that was given back: %w", ErrClosed)
	case c.open != nil:
		return fmt.Errorf("engine: use of a connection: %w", ErrConnBusy)
	case c.root != nil && c.root.lost:
		return fmt.Errorf("engine: use of a transaction: %w", c.root.aborted())
	}
	return nil
}

// prepare makes sure that a statement can be sent, and that there is a
// transaction for it, unless the connection is in autocommit mode.
func (c *Conn) prepare(ctx context.Context) error {
	if err := c.ready(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // nothing is sent, so nothing is lost
		return describe("execute", err)
	}
	if c.root != nil || c.txConfig.autocommit {
		return nil
	}
	return c.begin(ctx, c.txConfig.TxOptions)
}

// allows refuses a statement that would end the transaction of a unit of work:
// half of the unit would be committed, and its own COMMIT would commit nothing.
// A statement that only may end it is allowed, and the unit is then not
// retried.
func (c *Conn) allows(qs ...backend.BoundStatement) error {
	if c.root == nil || !c.root.managed() {
		return nil
	}
	for i := range qs {
		if qs[i].EndsTx {
			return fmt.Errorf("engine: execute: the text ends the transaction: %w", ErrTransactionManaged)
		}
	}
	return nil
}

// note records what the failure of a statement means for later statements, and
// returns the error.
func (c *Conn) note(err error) error {
	tx := c.root
	if tx == nil || err == nil {
		return err
	}
	if fault.Code(err) == abortedState {
		return &TxAbortedError{Cause: tx.failed, Err: err}
	}
	if tx.failed == nil {
		tx.failed = err
	}
	tx.lost = tx.lost || !c.Dialect().AbortsTx && undone(err)
	return err
}

// undone reports whether the failure of a statement may have ended its
// transaction: MySQL rolls back the victim of a deadlock, SQLite a write that
// was interrupted, and statements that come after it would be committed one by
// one.
func undone(err error) bool {
	v := fault.Of(err, fault.Situation{InTx: true})
	return v.Tx == fault.TxUndone || v.Tx == fault.TxUnknown && v.Outcome == fault.OutcomeUnknown
}

// closeCursor closes the open cursor, if any.
func (c *Conn) closeCursor() {
	if c.open != nil {
		_ = c.open.Close() // its owner learns of it when it reads on
	}
}
