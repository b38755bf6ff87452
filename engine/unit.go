package engine

import (
	"context"
	"fmt"
)

// unitKey finds the transaction of an engine's unit of work in a context.
type unitKey struct{ engine *Engine }

// RunInTx performs fn in a transaction: BEGIN, fn, COMMIT. The transaction is
// rolled back if fn returns an error, panics, or ends its goroutine.
//
// The unit of work is one call of the chain: with a retry in it, fn may run
// several times, each in a new transaction, when it failed by a fault that
// allows it and was rolled back for certain. What fn does outside of tx should
// bear that. If COMMIT was sent and its answer lost, the error matches
// [fault.ErrCommitUnknown].
//
// RunInTx with the context that fn got joins the transaction at work: there is
// one transaction, and replaying it is the outermost's business. If a joined
// function fails, the whole transaction fails. To undo a part alone use
// [Tx.RunNested].
func (e *Engine) RunInTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	o, err := newTxConfig(opts)
	if err != nil {
		return err
	}
	if o.autocommit {
		return errAutocommit
	}
	if outer := e.unitOf(ctx); outer != nil {
		return outer.join(ctx, o.TxOptions, fn)
	}
	failed := false // fn did, so that the error is fn's
	err = e.backend.RunInTx(ctx, o.TxOptions, func(ctx context.Context, bc BackendConn) error {
		err := e.unit(ctx, bc, o.TxOptions, fn)
		failed = err != nil
		return err
	})
	if failed {
		return err
	}
	return describe("run in transaction", err)
}

// unitOf returns the transaction of the unit that ctx is in, or nil.
func (e *Engine) unitOf(ctx context.Context) *Tx {
	if tx, ok := ctx.Value(unitKey{e}).(*Tx); ok && !tx.ended {
		return tx
	}
	return nil
}

// unit runs fn once, in the transaction that is open on bc.
func (e *Engine) unit(ctx context.Context, bc BackendConn, o TxOptions, fn func(context.Context, *Tx) error) error {
	c := &Conn{engine: e, conn: bc}
	tx := &Tx{conn: c, managed: true, options: o}
	c.root, c.top = tx, tx
	defer func() { // also if fn panics
		c.closeCursor()
		tx.end()
		c.closed = true
	}()
	err := fn(context.WithValue(ctx, unitKey{e}, tx), tx)
	switch {
	case err != nil:
		return err
	case tx.doomed != nil:
		return fmt.Errorf("engine: run in transaction: a joined function failed: %w", tx.doomed)
	case tx.lost:
		return fmt.Errorf("engine: run in transaction: %w", tx.aborted())
	}
	return nil
}

// join runs fn in the transaction of the unit at work. Half of a unit is never
// committed: if fn fails the whole unit does, also if the function around it
// ignores the error.
func (t *Tx) join(ctx context.Context, o TxOptions, fn func(context.Context, *Tx) error) error {
	if o != (TxOptions{}) && o != t.options {
		return fmt.Errorf("engine: run in transaction: joining a transaction with isolation %s, read-only %t, but isolation %s, read-only %t is wanted",
			t.options.Isolation, t.options.ReadOnly, o.Isolation, o.ReadOnly)
	}
	err := fn(ctx, t)
	if err != nil && t.doomed == nil {
		t.doomed = err
	}
	return err
}

// RunNested performs fn in a savepoint, which is rolled back if fn returns an
// error, panics, or ends its goroutine, and released otherwise.
func (t *Tx) RunNested(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	inner, err := t.BeginNested(ctx)
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done && !inner.ended { // fn panicked or ended its goroutine
			_ = inner.Close(ctx)
		}
	}()
	err = fn(ctx, inner)
	done = true
	if err == nil && !inner.ended {
		err = inner.Commit(ctx)
	}
	if err != nil && !inner.ended {
		// If that fails too, the connection is gone and takes the transaction
		// with it: fn's error is the one to act on.
		_ = inner.Close(ctx)
	}
	return err
}
