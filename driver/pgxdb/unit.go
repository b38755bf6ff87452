package pgxdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// RunInTx performs fn in a transaction: BEGIN, fn, COMMIT. The transaction is
// rolled back if fn returns an error, panics, or ends its goroutine.
//
// The unit of work is one call of the chain. With a retry in the chain it is
// performed again as a whole, in a new transaction on another connection, when
// it failed by a fault that allows it and was rolled back for certain. So fn may
// run several times: what it does outside of tx should bear that, and results
// it leaves in variables should be set anew each time. If COMMIT was sent and
// its answer lost, the error matches [sp.ErrCommitUnknown], and nothing is
// repeated unless the caller's marks allow it ([sp.WithIdempotent],
// [sp.WithVerifyCommit]).
//
// A RunInTx of the same pool with the context that fn got is a savepoint of
// the transaction at work: if its function fails, what it did is undone and the
// function around it decides what to make of the error. Replaying is the
// outermost's business. Options it asks for have to be those of the
// transaction, or none.
func (p *Pool) RunInTx(ctx context.Context, opts pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return p.runInTx(ctx, sp.ScopePool, p.BeginTx, opts, fn)
}

// RunInTx is [Pool.RunInTx] on this connection: a retry performs the unit again
// only while the connection is fit for it.
func (c *Conn) RunInTx(ctx context.Context, opts pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return c.runInTx(ctx, sp.ScopeConn, c.BeginTx, opts, fn)
}

// RunInTx performs fn under a savepoint: it is released if fn succeeds and
// rolled back to otherwise. Nothing is repeated.
func (t *Tx) RunInTx(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return nested(ctx, t, fn)
}

type beginFunc func(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)

func (l *lane) runInTx(ctx context.Context, scope sp.Scope, begin beginFunc, opts pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	if outer := unitOf(ctx, l.pipeline); outer != nil {
		return outer.nest(ctx, opts, fn)
	}
	u := &unitCall{pipeline: l.pipeline, begin: begin, opts: opts, fn: fn}
	u.Reset(u)
	u.Op, u.Scope, u.Target = sp.OpTransaction, scope, l.target.Load()
	u.Bind(ctx)
	_, err := u.Run(ctx, l.handler)
	if err == nil && !u.performed {
		return errNotPerformed(u.Op)
	}
	return err
}

// unitCall is a unit of work.
type unitCall struct {
	sp.Call
	pipeline *pipeline
	begin    beginFunc
	opts     pgx.TxOptions
	fn       func(context.Context, pgx.Tx) error

	performed  bool
	top        pgx.Tx // the transaction at work, or its innermost savepoint
	commitSent bool   // COMMIT may have been sent
}

// unitOf returns the unit of the same database that ctx is in, or nil.
func unitOf(ctx context.Context, p *pipeline) *unitCall {
	for call := sp.CallFrom(ctx); call != nil; call = call.Parent {
		if u, ok := call.Operation().(*unitCall); ok && u.pipeline == p {
			return u
		}
	}
	return nil
}

// nest runs fn under a savepoint of the transaction at work.
func (u *unitCall) nest(ctx context.Context, opts pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	if u.top == nil {
		return errors.New("pgxdb: run in transaction: the transaction that the context belongs to has ended")
	}
	if opts != u.opts && opts != (pgx.TxOptions{}) {
		return fmt.Errorf("pgxdb: run in transaction: inside a transaction with the options %+v others are wanted: %+v", u.opts, opts)
	}
	outer := u.top
	defer func() { u.top = outer }()
	return nested(ctx, outer, func(ctx context.Context, tx pgx.Tx) error {
		u.top = tx
		return fn(ctx, tx)
	})
}

// nested runs fn under a savepoint.
func nested(ctx context.Context, outer pgx.Tx, fn func(context.Context, pgx.Tx) error) error {
	tx, err := outer.Begin(ctx)
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned {
			rollback(ctx, tx)
		}
	}()
	err = fn(ctx, tx)
	returned = true
	if err != nil {
		rollback(ctx, tx)
		return err
	}
	return tx.Commit(ctx)
}

// rollback ends a transaction that failed, even if its context is over.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	// If ROLLBACK can't be sent, the connection is closed, and the server
	// rolls back.
	_ = tx.Rollback(ctx)
}

// Do performs the unit once, in a new transaction.
func (u *unitCall) Do(ctx context.Context, _ *sp.Call) error {
	u.performed = true
	inside := sp.ContextWithCall(ctx, &u.Call)
	tx, err := u.begin(inside, u.opts)
	if err != nil {
		u.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
		return err
	}
	u.top, u.commitSent = tx, u.pipeline.empty
	returned := false
	defer func() {
		u.top = nil
		if !returned { // fn panicked or ended its goroutine
			rollback(inside, tx)
		}
	}()
	err = u.fn(inside, tx)
	returned = true
	if err != nil {
		u.Judge(ctx, err, fault.PhaseUnit, fault.ProgressUnknown)
		rollback(inside, tx)
		return err
	}
	over := ctx.Err() != nil
	err = tx.Commit(inside)
	return commitError(func(ctx context.Context, err error, phase fault.Phase) fault.Verdict {
		progress := fault.ProgressUnknown
		if over || !u.commitSent || errors.Is(err, pgx.ErrTxClosed) && !errors.Is(err, pgx.ErrTxCommitRollback) {
			progress = fault.ProgressUnsent
		}
		return u.Judge(ctx, err, phase, progress)
	}, ctx, err)
}
