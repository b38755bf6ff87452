package main

import (
	"context"
	"errors"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// RunInTx runs fn in a transaction. That is one call of the chain: with a retry
// in it, BEGIN, fn and COMMIT run again as a whole if a fault allows it.
func (db *DB) RunInTx(ctx context.Context, fn func(context.Context, *Tx) error) error {
	u := &unit{db: db, fn: fn}
	db.describe(ctx, &u.call, u, sessionproxy.OpTransaction)
	u.call.Scope = sessionproxy.ScopePool
	_, err := attach.Run(ctx, &u.call, db.handler)
	if err == nil && !u.done {
		return errNotPerformed
	}
	return err
}

// unit performs the calls of units of work.
type unit struct {
	call sessionproxy.Call
	db   *DB
	fn   func(context.Context, *Tx) error
	done bool
}

// Do performs the unit once, in a transaction of its own.
func (u *unit) Do(ctx context.Context, call *sessionproxy.Call) error {
	u.done = true
	inside := attach.Context(ctx, call) // makes the statements calls inside the unit
	c, err := u.db.acquire(inside)
	if err != nil {
		call.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
		return err
	}
	tx := &Tx{db: u.db, conn: c}
	fit := false // unless the transaction has certainly ended
	defer func() { u.db.release(c, fit) }()

	begin := &statement{db: u.db, tx: tx}
	if err := begin.run(inside, sessionproxy.OpBegin, ""); err != nil {
		call.Judge(ctx, err, fault.PhaseBegin, fault.ProgressUnsent)
		return err
	}
	end := sessionproxy.ErrAborted // if fn panics, closing c undoes its work
	defer func() { attach.Finish(&begin.call, end) }()

	err = u.fn(inside, tx)
	switch {
	case err == nil && tx.over:
		err = tx.fault // which fn has ignored
	case err == nil:
		err = context.Cause(ctx) // no COMMIT for a caller who has gone
	}
	if err != nil {
		end, fit = err, tx.rollback(inside)
		if !fit {
			attach.MakeFinal(call) // perhaps fn has sent COMMIT as SQL text
		}
		tx.judge(ctx, call, err)
		return err
	}
	end = tx.run(inside, sessionproxy.OpCommit)
	if end == nil {
		fit = true
		return nil
	}
	fit = tx.rollback(inside) // SQLite leaves the transaction open
	v := call.Judge(ctx, end, fault.PhaseCommit, fault.ProgressUnknown)
	if v.Outcome == fault.OutcomeUnknown && !errors.Is(end, fault.ErrCommitUnknown) {
		return &fault.CommitError{Err: end}
	}
	return end
}

// Tx is the transaction of a unit. It is not safe for concurrent use.
type Tx struct {
	db    *DB
	conn  *conn
	fault error // of the last statement, if it failed
	over  bool  // the fault may have undone the transaction
}

// Exec runs a statement in the transaction.
func (tx *Tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	s := &statement{db: tx.db, tx: tx, args: args}
	err := tx.send(ctx, s, sessionproxy.OpExec, text)
	return s.call.RowsAffected, err
}

// Query runs a statement in the transaction. The caller closes the rows.
func (tx *Tx) Query(ctx context.Context, text string, args ...any) (*Rows, error) {
	s := &statement{db: tx.db, tx: tx, args: args}
	if err := tx.send(ctx, s, sessionproxy.OpQuery, text); err != nil {
		return nil, err
	}
	return s.rows, nil
}

// send runs a statement, unless SQLite may have rolled back: then it would
// commit the statement by itself.
func (tx *Tx) send(ctx context.Context, s *statement, op sessionproxy.Op, text string) error {
	if tx.over {
		return tx.fault
	}
	err := s.run(ctx, op, text)
	tx.hear(&s.call, err)
	return err
}

// hear notes how a statement ended.
func (tx *Tx) hear(call *sessionproxy.Call, err error) {
	tx.fault = err
	tx.over = err != nil && call.Verdict(err).Tx != fault.TxOpen
}

// judge says what err, with which the unit's function ended, means for the unit.
// If it says nothing about the database, the fault of the last statement does.
func (tx *Tx) judge(ctx context.Context, call *sessionproxy.Call, err error) {
	v := attach.JudgeOwn(ctx, call, err, fault.PhaseUnit)
	if tx.fault != nil && (v.Class == fault.ClassCaller || v.Class == fault.ClassUnknown) {
		attach.JudgeBy(ctx, call, tx.fault, fault.PhaseUnit, fault.ProgressUnknown)
	}
}

// run runs a statement that controls the transaction.
func (tx *Tx) run(ctx context.Context, op sessionproxy.Op) error {
	return (&statement{db: tx.db, tx: tx}).run(ctx, op, "")
}

// rollback rolls back, even if the context is over. It reports whether there
// was a transaction to roll back.
func (tx *Tx) rollback(ctx context.Context) bool {
	return tx.run(context.WithoutCancel(ctx), sessionproxy.OpRollback) == nil
}
