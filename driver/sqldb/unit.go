package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// RunInTx runs fn in a transaction: BEGIN, fn, COMMIT. The transaction is
// rolled back if fn returns an error, panics, or ends its goroutine. opts may
// be nil.
//
// The unit of work is one call of the chain. With a retry in the chain it is
// replayed as a whole, in a new transaction, if it failed with a fault that
// allows this and was certainly rolled back. So fn may run several times:
// anything it does outside tx must tolerate that, and variables that it fills
// must be set anew each time. If COMMIT was sent and its answer lost, the error
// matches [sp.ErrCommitUnknown], and nothing is retried unless the caller's
// marks allow it ([sp.WithIdempotent], [sp.WithVerifyCommit]).
//
// fn's error decides whether the unit is replayed. If it says nothing about the
// database, because it is fn's own or was flattened with %v, the fault of the
// last failed statement in tx decides, provided nothing in tx has succeeded
// after it: a fault that fn undid with a savepoint, or after which it carried
// on, does not count.
//
// fn may end the transaction itself, as code written for database/sql does: the
// unit ends with it. After tx.Commit nothing is replayed, whatever the error;
// after tx.Rollback the unit may be. Either way nil from fn is success and an
// error is returned unchanged. A statement that may have ended the transaction
// (COMMIT as SQL text, CALL and implicit commits on MySQL) prevents a replay.
// So does a connection that SQL text has left without autocommit, or in a
// transaction if BEGIN fails.
//
// A RunInTx of the same handle with the context that fn got joins the running
// transaction: there is one transaction, and only the outermost unit is
// replayed. If a joined function fails or panics, the whole transaction fails,
// even if the function around it ignores that. A joined RunInTx that asks for
// options the transaction does not have is an error. Functions may join from
// several goroutines, just as they may use tx.
func (db *DB) RunInTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if outer := attemptOf(ctx, db.pipeline); outer != nil {
		return outer.join(ctx, opts, fn)
	}
	u := &unitCall{db: db.DB, pipeline: db.pipeline, opts: opts, fn: fn}
	attach.Reset(&u.Call, u)
	u.Op, u.Scope, u.Target = sp.OpTransaction, sp.ScopePool, db.pipeline.target.Load()
	u.ReadOnly = opts != nil && opts.ReadOnly
	attach.Bind(ctx, &u.Call)
	_, err := attach.Run(ctx, &u.Call, db.pipeline.handler)
	if err == nil && !u.performed {
		return errNotPerformed(u.Op)
	}
	return err
}

// unitCall is a unit of work.
type unitCall struct {
	sp.Call
	db        *sql.DB
	pipeline  *pipeline
	opts      *sql.TxOptions
	fn        func(context.Context, *sql.Tx) error
	performed bool
}

// attempt is one performance of a unit, in a transaction of its own. Its
// function's context leads to it, and the connection of its transaction.
type attempt struct {
	unit.State
	unit *unitCall
	tx   *sql.Tx // set before the function starts
}

// attemptKey finds the attempt at a unit of one database.
type attemptKey struct{ *pipeline }

// attemptOf returns the attempt of the same database that ctx is in, or nil.
func attemptOf(ctx context.Context, p *pipeline) *attempt {
	a, _ := ctx.Value(attemptKey{p}).(*attempt)
	return a
}

// join runs fn in the transaction that is at work.
func (a *attempt) join(ctx context.Context, opts *sql.TxOptions, fn func(context.Context, *sql.Tx) error) (err error) {
	if !a.Begun() || a.Closed() || a.Ended() {
		return errors.New("sqldb: run in transaction: the transaction that the context belongs to has ended")
	}
	if opts != nil {
		if have := a.unit.options(); *opts != have && *opts != (sql.TxOptions{}) {
			return fmt.Errorf("sqldb: run in transaction: joining a transaction with isolation %s, read-only %t, but isolation %s, read-only %t is wanted",
				have.Isolation, have.ReadOnly, opts.Isolation, opts.ReadOnly)
		}
	}
	err = sp.ErrAborted // unless fn returns
	defer func() { a.JoinEnded(err) }()
	err = fn(ctx, a.tx)
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
	a := &attempt{unit: u}
	inside := attach.Context(context.WithValue(ctx, attemptKey{u.pipeline}, a), &u.Call)
	tx, err := u.db.BeginTx(inside, u.opts)
	if err != nil {
		unit.JudgeBegin(ctx, &u.Call, err)
		return err
	}
	a.tx = tx
	a.Begin()
	returned := false
	defer func() {
		a.Close()
		if !returned { // fn panicked or ended its goroutine
			_ = tx.Rollback()
		}
	}()
	err = u.fn(inside, tx)
	returned = true
	a.Close()
	return a.finish(ctx, err)
}

// finish commits, or rolls back for err.
func (a *attempt) finish(ctx context.Context, err error) error {
	if failed := a.JoinFailed(); err == nil && failed != nil {
		err = fmt.Errorf("sqldb: run in transaction: a joined function failed: %w", failed)
	}
	switch {
	case err != nil:
		a.Judge(ctx, &a.unit.Call, err)
		// The transaction is over either way: if ROLLBACK can't be sent, the
		// connection is gone, and the server rolls back.
		_ = a.tx.Rollback()
		return err
	case a.Committed(), a.Ended() && ctx.Err() == nil:
		// By fn itself; a context that is over has database/sql roll back, which
		// is no success.
		return nil
	}
	return a.commit(ctx)
}

// commit commits. A COMMIT that database/sql did not even send, since the
// context was over, is told from one whose answer is missing.
func (a *attempt) commit(ctx context.Context) error {
	err := a.tx.Commit()
	if err == nil || a.Unsure() && nothingToEnd(err) {
		return nil
	}
	progress := fault.ProgressUnknown
	if !a.CommitSent() || errors.Is(err, sql.ErrTxDone) {
		progress = fault.ProgressUnsent
	}
	v := a.JudgeCommit(ctx, &a.unit.Call, err, progress)
	if v.Outcome == fault.OutcomeUnknown && !a.MayBeCommitted() && !errors.Is(err, fault.ErrCommitUnknown) {
		return &fault.CommitError{Err: err}
	}
	return err
}

// nothingToEnd reports the ways in which SQLite and lib/pq say that the
// transaction has ended before; others take a COMMIT too many.
func nothingToEnd(err error) bool {
	text := err.Error()
	return strings.Contains(text, "no transaction is active") || strings.Contains(text, "unexpected transaction status idle")
}
