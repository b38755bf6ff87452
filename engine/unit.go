package engine

import (
	"context"
	"fmt"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// unitKey is the context key of the transaction of an engine's unit of work.
type unitKey struct{ engine *Engine }

// RunInTx performs fn in a transaction: BEGIN, fn, COMMIT. The transaction is
// rolled back if fn returns an error, panics, or ends its goroutine.
//
// The unit of work is one call of the chain. A retry in the chain may replay
// fn, each time in a new transaction, if it failed by a fault that allows a
// retry and was rolled back for certain. What fn does outside of tx must
// tolerate that. If COMMIT was sent and its answer lost, the error matches
// [fault.ErrCommitUnknown].
//
// The verdict on the unit is that on the error that fn returns. If this does
// not wrap an error of the database (an error of fn's own, or one formatted
// with %v), the verdict is that on the fault of the last failed statement,
// provided that no statement in tx has succeeded after it: a fault that fn
// undid by a savepoint, or continued after, does not count.
//
// fn can't end the transaction: Commit, Rollback and SQL text that is one of
// these fail with an error that matches [ErrTransactionManaged], and the
// transaction goes on. After a statement that may have ended it (CALL, and
// implicit commits on MySQL) the unit is not retried.
//
// RunInTx with the context that fn received joins the open transaction: there
// is one transaction, and only the outermost RunInTx replays it. If a joined
// function fails or panics, the whole transaction fails, even if the function
// around it ignores that. To undo a part alone use [Tx.RunNested]. After the
// unit has ended, its context can't be used for another: the error matches
// [ErrTransactionClosed].
func (e *Engine) RunInTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	o, err := newTxConfig(opts)
	if err != nil {
		return err
	}
	if o.autocommit {
		return errAutocommit
	}
	if outer, ok := ctx.Value(unitKey{e}).(*Tx); ok {
		return outer.join(ctx, o.TxOptions, fn)
	}
	failed := false // fn did, so that the error is fn's
	err = e.backend.RunInTx(ctx, o.TxOptions, func(ctx context.Context, bc backend.Conn) error {
		err := e.performUnit(ctx, bc, o.TxOptions, fn)
		failed = err != nil
		return err
	})
	if failed {
		return err
	}
	return describe("run in transaction", err)
}

// unit is the state shared by the functions that join a unit of work, on any
// goroutine.
type unit struct {
	options backend.TxOptions
	over    atomic.Bool
	doomed  atomic.Pointer[error] // why a function that joined failed
}

// performUnit runs fn once, in the transaction that is open on bc.
func (e *Engine) performUnit(ctx context.Context, bc backend.Conn, o backend.TxOptions, fn func(context.Context, *Tx) error) error {
	c := &Conn{engine: e, conn: bc}
	tx := &Tx{conn: c, unit: &unit{options: o}}
	c.root, c.top = tx, tx
	defer func() { // also if fn panics
		tx.unit.over.Store(true)
		c.closeCursor()
		tx.end()
		c.closed = true
	}()
	err := fn(context.WithValue(ctx, unitKey{e}, tx), tx)
	doomed := tx.unit.doomed.Load()
	switch {
	case err != nil:
		return err
	case doomed != nil:
		return fmt.Errorf("engine: run in transaction: a joined function failed: %w", *doomed)
	case tx.lost:
		return fmt.Errorf("engine: run in transaction: %w", tx.aborted())
	}
	return nil
}

// join runs fn in the transaction of the open unit. Half of a unit is never
// committed: if fn fails the whole unit does, even if the function around it
// ignores the error.
func (t *Tx) join(ctx context.Context, o backend.TxOptions, fn func(context.Context, *Tx) error) error {
	if t.unit.over.Load() {
		return fmt.Errorf("engine: run in transaction: the unit that the context belongs to: %w", ErrTransactionClosed)
	}
	if have := t.unit.options; o != (backend.TxOptions{}) && o != have {
		return fmt.Errorf("engine: run in transaction: joining a transaction with isolation %s, read-only %t, but isolation %s, read-only %t is wanted",
			have.Isolation, have.ReadOnly, o.Isolation, o.ReadOnly)
	}
	err := sp.ErrAborted // unless fn returns
	defer func() {
		if err != nil {
			t.unit.doomed.CompareAndSwap(nil, &err)
		}
	}()
	err = fn(ctx, t)
	return err
}

// RunNested runs fn in a savepoint, which is rolled back if fn returns an
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
		// If that fails too, the connection is lost, and the transaction with
		// it: fn's error is the one to act on.
		_ = inner.Close(ctx)
	}
	return err
}
