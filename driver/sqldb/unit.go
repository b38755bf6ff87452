package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// RunInTx performs fn in a transaction: BEGIN, fn, COMMIT. The transaction is
// rolled back if fn returns an error, panics, or ends its goroutine. opts may
// be nil.
//
// The unit of work is one call of the chain. With a retry in the chain it is
// performed again as a whole, in a new transaction, when it failed by a fault
// that allows it and was rolled back for certain. So fn may run several times:
// what it does outside of tx should bear that, and results it leaves in
// variables should be set anew each time. If COMMIT was sent and its answer
// lost, the error matches [sp.ErrCommitUnknown], and nothing is repeated
// unless the caller's marks allow it ([sp.WithIdempotent],
// [sp.WithVerifyCommit]).
//
// A RunInTx of the same handle with the context that fn got joins the
// transaction at work: there is one transaction, and replaying it is the
// outermost's business. If a joined function fails, the whole transaction
// fails, also if the function around it ignores the error. A joined RunInTx
// that asks for options the transaction does not have is an error.
func (db *DB) RunInTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if outer := unitOf(ctx, db.pipeline); outer != nil {
		return outer.join(ctx, opts, fn)
	}
	u := &unitCall{db: db.DB, pipeline: db.pipeline, opts: opts, fn: fn}
	u.Reset(u)
	u.Op, u.Scope, u.Target = sp.OpTransaction, sp.ScopePool, db.pipeline.target.Load()
	u.Bind(ctx)
	_, err := u.Run(ctx, db.pipeline.handler)
	if err == nil && !u.performed {
		return errNotPerformed(u.Op)
	}
	return err
}

// unitCall is a unit of work.
type unitCall struct {
	sp.Call
	db       *sql.DB
	pipeline *pipeline
	opts     *sql.TxOptions
	fn       func(context.Context, *sql.Tx) error

	performed  bool
	tx         *sql.Tx // the transaction at work
	failed     error   // why a joined function failed, which dooms the transaction
	commitSent bool    // the driver was asked to commit
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

// join runs fn in the transaction that is at work.
func (u *unitCall) join(ctx context.Context, opts *sql.TxOptions, fn func(context.Context, *sql.Tx) error) error {
	if u.tx == nil {
		return errors.New("sqldb: run in transaction: the transaction that the context belongs to has ended")
	}
	if opts != nil {
		if have := u.options(); *opts != have && *opts != (sql.TxOptions{}) {
			return fmt.Errorf("sqldb: run in transaction: joining a transaction with isolation %s, read-only %t, but isolation %s, read-only %t is wanted",
				have.Isolation, have.ReadOnly, opts.Isolation, opts.ReadOnly)
		}
	}
	err := fn(ctx, u.tx)
	if err != nil && u.failed == nil {
		u.failed = err
	}
	return err
}

func (u *unitCall) options() sql.TxOptions {
	if u.opts == nil {
		return sql.TxOptions{}
	}
	return *u.opts
}

// Do performs the unit once, in a new transaction.
func (u *unitCall) Do(ctx context.Context, _ *sp.Call) error {
	u.performed = true
	inside := sp.ContextWithCall(ctx, &u.Call)
	tx, err := u.db.BeginTx(inside, u.opts)
	if err != nil {
		u.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
		return err
	}
	u.tx, u.failed, u.commitSent = tx, nil, u.pipeline.empty
	returned := false
	defer func() {
		u.tx = nil
		if !returned { // fn panicked or ended its goroutine
			_ = tx.Rollback()
		}
	}()
	err = u.fn(inside, tx)
	returned = true
	return u.finishTx(ctx, tx, err)
}

// finishTx commits, or rolls back for err.
func (u *unitCall) finishTx(ctx context.Context, tx *sql.Tx, err error) error {
	if err == nil && u.failed != nil {
		err = fmt.Errorf("sqldb: run in transaction: a joined function failed: %w", u.failed)
	}
	if err != nil {
		u.Judge(ctx, err, fault.PhaseUnit, fault.ProgressUnknown)
		// The transaction is over either way: if ROLLBACK can't be sent, the
		// connection is gone, and the server rolls back.
		_ = tx.Rollback()
		return err
	}
	return u.judgeCommit(ctx, tx.Commit())
}

// judgeCommit tells a COMMIT that database/sql did not even send, since the
// context was over, from one whose answer is missing.
func (u *unitCall) judgeCommit(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	progress := fault.ProgressUnknown
	if !u.commitSent || errors.Is(err, sql.ErrTxDone) {
		progress = fault.ProgressUnsent
	}
	v := u.Judge(ctx, err, fault.PhaseCommit, progress)
	if v.Outcome == fault.OutcomeUnknown && !errors.Is(err, fault.ErrCommitUnknown) {
		return &fault.CommitError{Err: err}
	}
	return err
}
