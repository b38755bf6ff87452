package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Tx is a transaction, or a savepoint inside one, on a [Conn]. It ends with
// Commit, Rollback or Close, or with the transaction around it. After that its
// methods return an error that matches [ErrTransactionClosed].
//
// A Tx is used by one goroutine at a time, as its connection is.
type Tx struct {
	conn       *Conn
	parent     *Tx    // nil for a transaction
	name       string // of the savepoint
	depth      int    // of savepoints, 0 for a transaction
	failed     error  // the first failure of a statement, in a transaction
	lost       bool   // the database may have ended the transaction
	ended      bool
	unit       *unit // of RunInTx, which ends it; or nil
	closesConn bool  // the connection is closed with it
}

var _ Executor = (*Tx)(nil)

// Conn returns the transaction's connection.
func (t *Tx) Conn() *Conn { return t.conn }

// Dialect describes the database.
func (t *Tx) Dialect() *Dialect { return t.conn.Dialect() }

// IsActive reports whether the transaction has not ended.
func (t *Tx) IsActive() bool { return !t.ended }

// Nested reports whether this is a savepoint.
func (t *Tx) Nested() bool { return t.parent != nil }

// BeginNested sets a savepoint inside the transaction. Its end does not end the
// transaction around it.
func (t *Tx) BeginNested(ctx context.Context) (*Tx, error) {
	if err := t.check("begin nested"); err != nil {
		return nil, err
	}
	return t.conn.nest(ctx)
}

// nest sets a savepoint inside the innermost one.
func (c *Conn) nest(ctx context.Context) (*Tx, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	inner := &Tx{conn: c, parent: c.top, depth: c.top.depth + 1}
	inner.name = fmt.Sprintf("sp_%d", inner.depth)
	if err := c.conn.Savepoint(ctx, inner.name); err != nil {
		return nil, describe("savepoint", c.note(err))
	}
	c.top = inner
	return inner, nil
}

// Commit commits the transaction, or keeps the work since the savepoint.
// Savepoints inside it end with it. A transaction ends whatever Commit returns.
// The error matches [fault.ErrCommitUnknown] if the COMMIT was sent and its
// answer lost, and [ErrTxAborted] if the database rolled the transaction back
// because a statement in it had failed. A savepoint whose commit fails can
// still be rolled back.
func (t *Tx) Commit(ctx context.Context) error {
	if err := t.check("commit"); err != nil {
		return err
	}
	if t.managed() {
		return fmt.Errorf("engine: commit: %w", ErrTransactionManaged)
	}
	t.conn.closeCursor()
	if t.parent != nil {
		return t.release(ctx)
	}
	if t.lost {
		err := describe("commit", t.aborted())
		_ = t.rollback(ctx) // there may be nothing left to roll back
		return errors.Join(err, t.closeConn(ctx))
	}
	err := t.conn.note(t.conn.conn.Commit(ctx))
	if errors.Is(err, ErrTxAborted) {
		err = &TxAbortedError{Cause: t.failed, Err: err}
	}
	t.end()
	return errors.Join(describe("commit", err), t.closeConn(ctx))
}

// release keeps what was done since the savepoint.
func (t *Tx) release(ctx context.Context) error {
	if err := t.conn.ready(); err != nil {
		return err
	}
	if err := t.conn.conn.Release(ctx, t.name); err != nil {
		return describe("release savepoint", t.conn.note(err))
	}
	t.end()
	return nil
}

// aborted returns the error of a transaction that the database may have ended.
func (t *Tx) aborted() error { return &TxAbortedError{Cause: t.failed} }

// Rollback undoes the transaction, or the work since the savepoint, and ends
// it, whatever Rollback returns.
func (t *Tx) Rollback(ctx context.Context) error {
	if err := t.check("rollback"); err != nil {
		return err
	}
	if t.managed() {
		return fmt.Errorf("engine: rollback: %w", ErrTransactionManaged)
	}
	return errors.Join(t.rollback(ctx), t.closeConn(ctx))
}

func (t *Tx) rollback(ctx context.Context) error {
	t.conn.closeCursor()
	defer t.end()
	if t.parent != nil {
		if err := t.conn.ready(); err != nil {
			return err
		}
		return describe("rollback to savepoint", t.conn.conn.RollbackTo(ctx, t.name))
	}
	err := t.conn.conn.Rollback(ctx)
	if t.lost {
		return nil // it is rolled back, here or by the database
	}
	return describe("rollback", err)
}

// rollbackTimeout bounds a rollback whose context is over.
const rollbackTimeout = 5 * time.Second

// Close rolls the transaction back if it has not ended, even if ctx has ended.
// Defer it: after Commit it does nothing.
func (t *Tx) Close(ctx context.Context) error {
	if t.ended || t.managed() {
		return nil
	}
	if ctx.Err() != nil {
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		ctx = detached
	}
	return t.Rollback(ctx)
}

// managed reports whether RunInTx ends the transaction.
func (t *Tx) managed() bool { return t.unit != nil }

// check returns an error if the transaction can't be used.
func (t *Tx) check(tried string) error {
	if t.ended {
		return fmt.Errorf("engine: %s: %w", tried, ErrTransactionClosed)
	}
	return nil
}

// end marks the transaction and all savepoints inside of it as ended.
func (t *Tx) end() {
	c := t.conn
	for x := c.top; x != nil; x = x.parent {
		x.ended = true
		if x == t {
			break
		}
	}
	c.top = t.parent
	if t.parent == nil {
		c.root = nil
	}
}

func (t *Tx) closeConn(ctx context.Context) error {
	if !t.closesConn {
		return nil
	}
	return t.conn.Close(ctx)
}

// Execute runs a statement in the transaction and buffers its result.
func (t *Tx) Execute(ctx context.Context, st Statement) (*Result, error) {
	if err := t.check("execute"); err != nil {
		return nil, err
	}
	return t.conn.Execute(ctx, st)
}

// ExecuteMany runs a statement once for each set of arguments; see
// [Executor].
func (t *Tx) ExecuteMany(ctx context.Context, st *TextStatement, sets ...[]any) (*Result, error) {
	if err := t.check("execute"); err != nil {
		return nil, err
	}
	return t.conn.ExecuteMany(ctx, st, sets...)
}

// ExecuteBatch runs statements in order; see [Executor].
func (t *Tx) ExecuteBatch(ctx context.Context, sts ...Statement) ([]*Result, error) {
	if err := t.check("execute"); err != nil {
		return nil, err
	}
	return t.conn.ExecuteBatch(ctx, sts...)
}

// Query runs a statement in the transaction and leaves its result open; see
// [Conn.Query].
func (t *Tx) Query(ctx context.Context, st Statement) (Cursor, error) {
	if err := t.check("execute"); err != nil {
		return nil, err
	}
	return t.conn.Query(ctx, st)
}

// Stream runs a statement in the transaction and holds one window of its rows
// in memory; see [Conn.Stream].
func (t *Tx) Stream(ctx context.Context, st Statement, opts ...StreamOption) (*Stream, error) {
	if err := t.check("execute"); err != nil {
		return nil, err
	}
	return t.conn.Stream(ctx, st, opts...)
}
