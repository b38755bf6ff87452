package pgxdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"

	"github.com/jackc/pgx/v5"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// RunInTx runs fn in a transaction: BEGIN, fn, COMMIT. The transaction is
// rolled back if fn returns an error, panics, or ends its goroutine.
//
// The unit of work is one call of the chain. With a retry in the chain it is
// replayed as a whole, in a new transaction on another connection, if it failed
// with a fault that allows this and was certainly rolled back. So fn may run
// several times: anything it does outside tx must tolerate that, and variables
// that it fills must be set anew each time. If COMMIT was sent and its answer
// lost, the error matches [sp.ErrCommitUnknown], and nothing is retried unless
// the caller's marks allow it ([sp.WithIdempotent], [sp.WithVerifyCommit]).
//
// fn's error decides whether the unit is replayed. If it says nothing about the
// database, because it is fn's own or was flattened with %v, the fault of the
// statement that made the transaction fail decides, unless fn has undone it
// with a savepoint.
//
// fn may end the transaction itself, as code written for pgx does: the unit
// ends with it. After tx.Commit nothing is replayed, whatever the error; after
// tx.Rollback the unit may be. Either way nil from fn is success and an error
// is returned unchanged. COMMIT sent as a statement, also by the name of a
// prepared one, prevents a replay too; on the connection that tx.Conn returns,
// which bypasses the chain, COMMIT AND CHAIN is not noticed.
//
// A RunInTx of the same pool with the context that fn got is a savepoint of the
// running transaction: if its function fails or panics, its work is undone and
// the function around it decides how to handle the error. Only the outermost
// unit is replayed. Its options have to be those of the transaction, or none.
// Savepoints nest: a RunInTx on another goroutine waits until the previous one,
// or its context, has ended.
func (p *Pool) RunInTx(ctx context.Context, opts pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return p.runInTx(ctx, sp.ScopePool, p.BeginTx, opts, fn)
}

// RunInTx is [Pool.RunInTx] on this connection: a retry replays the unit only
// while the connection is usable. On a connection that is already in a
// transaction it is never replayed: PostgreSQL has no nested transactions, so
// whatever ends the unit's ends both.
func (c *Conn) RunInTx(ctx context.Context, opts pgx.TxOptions, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return c.runInTx(ctx, sp.ScopeConn, c.BeginTx, opts, fn)
}

// RunInTx runs fn under a savepoint, which is released if fn succeeds and
// rolled back to otherwise. Nothing is retried.
func (t *Tx) RunInTx(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return nested(ctx, t, fn)
}

type beginFunc func(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)

func (e *executor) runInTx(ctx context.Context, scope sp.Scope, begin beginFunc, opts pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	if outer := placeOf(ctx, e.pipeline); outer != nil {
		return outer.nest(ctx, opts, fn)
	}
	u := &unitCall{pipeline: e.pipeline, begin: begin, opts: opts, fn: fn}
	attach.Reset(&u.Call, u)
	u.Op, u.Scope, u.Target = sp.OpTransaction, scope, e.target.Load()
	attach.Bind(ctx, &u.Call)
	u.InTx, u.ReadOnly = e.conn != nil && inTx(e.conn), readOnly(opts)
	if e.node != nil {
		u.GoTo(e.node)
	}
	defer u.endSlot()
	_, err := attach.Run(ctx, &u.Call, e.handler)
	if err == nil && !u.performed {
		return errNotPerformed(u.Op)
	}
	return err
}

// unitCall is a unit of work.
type unitCall struct {
	sp.Call
	pipeline  *pipeline
	begin     beginFunc
	opts      pgx.TxOptions
	fn        func(context.Context, pgx.Tx) error
	performed bool
	slot      *slot // of a connection that was lost with the answer to a COMMIT
}

// keepSlot keeps the place of the connection that was lost, for a verifier.
func (u *unitCall) keepSlot(h acquired) {
	u.slot = &slot{lost: h}
	u.pipeline.slots.add(u.slot)
}

// endSlot gives the place that was kept for a verifier back to the pool.
func (u *unitCall) endSlot() {
	if u.slot != nil {
		u.pipeline.slots.remove(u.slot)
		u.slot.end()
		u.slot = nil
	}
}

// attempt is one performance of a unit, in a transaction of its own, which knows
// it.
type attempt struct {
	unit.State
	unit *unitCall
}

// place is where in a unit a context leads: to its transaction, or to a
// savepoint in it.
type place struct {
	attempt *attempt
	tx      pgx.Tx        // set before the function starts
	alone   chan struct{} // holds a token while nobody is at work in a savepoint below
	ended   atomic.Bool
}

func newPlace(a *attempt) *place {
	p := &place{attempt: a, alone: make(chan struct{}, 1)}
	p.alone <- struct{}{}
	return p
}

// placeKey finds the place in a unit of one database.
type placeKey struct{ *pipeline }

// placeOf returns the place in a unit of the same database that ctx leads to, or
// nil.
func placeOf(ctx context.Context, p *pipeline) *place {
	at, _ := ctx.Value(placeKey{p}).(*place)
	return at
}

// nest runs fn under a savepoint.
func (p *place) nest(ctx context.Context, opts pgx.TxOptions, fn func(context.Context, pgx.Tx) error) error {
	u := p.attempt.unit
	if opts != u.opts && opts != (pgx.TxOptions{}) {
		return fmt.Errorf("pgxdb: run in transaction: inside a transaction with the options %+v others are wanted: %+v", u.opts, opts)
	}
	if err := p.usable(); err != nil {
		return err
	}
	select {
	case <-p.alone:
	case <-ctx.Done():
		return fmt.Errorf("pgxdb: run in transaction: wait for the savepoint of another goroutine: %w", context.Cause(ctx))
	}
	defer func() { p.alone <- struct{}{} }()
	if err := p.usable(); err != nil {
		return err
	}
	inner := newPlace(p.attempt)
	defer inner.ended.Store(true)
	return nested(ctx, p.tx, func(ctx context.Context, tx pgx.Tx) error {
		inner.tx = tx
		return fn(context.WithValue(ctx, placeKey{u.pipeline}, inner), tx)
	})
}

func (p *place) usable() error {
	if !p.attempt.Begun() || p.attempt.Closed() || p.attempt.Ended() || p.ended.Load() {
		return errors.New("pgxdb: run in transaction: the transaction that the context belongs to has ended")
	}
	return nil
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
	err = tx.Commit(ctx)
	if closed(err) {
		return nil // by fn itself
	}
	return err
}

// closed reports that err is of a transaction or savepoint that was committed
// or rolled back before.
func closed(err error) bool {
	return errors.Is(err, pgx.ErrTxClosed) && !errors.Is(err, pgx.ErrTxCommitRollback)
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
	u.endSlot() // this attempt may need the place
	a := &attempt{unit: u}
	at := newPlace(a)
	inside := attach.Context(context.WithValue(ctx, placeKey{u.pipeline}, at), &u.Call)
	tx, err := u.begin(inside, u.opts)
	if err != nil {
		unit.JudgeBegin(ctx, &u.Call, err)
		return err
	}
	at.tx = tx
	if t, ok := tx.(*Tx); ok {
		t.unit, t.unitCall = &a.State, u
	}
	a.Begin()
	returned := false
	defer func() {
		a.Close()
		if !returned { // fn panicked or ended its goroutine
			rollback(inside, tx)
		}
	}()
	err = u.fn(inside, tx)
	returned = true
	a.Close()
	return a.finish(ctx, inside, tx, err)
}

// finish commits, or rolls back for err. ctx is the unit's context, inside that
// of its function.
func (a *attempt) finish(ctx, inside context.Context, tx pgx.Tx, err error) error {
	if t, ok := tx.(*Tx); ok && !a.Ended() && !t.conn.IsClosed() && t.conn.PgConn().TxStatus() == 'I' {
		a.MarkUnsure() // ended by a statement
	}
	switch {
	case err != nil:
		a.Judge(ctx, &a.unit.Call, err)
		rollback(inside, tx)
		return err
	case a.Ended():
		return nil // by fn itself
	}
	over := ctx.Err() != nil
	err = tx.Commit(inside)
	if err == nil || closed(err) { // without a chain, nothing else tells that fn has ended it
		return nil
	}
	progress := fault.ProgressUnknown
	if over || !a.CommitSent() && !a.unit.pipeline.empty {
		progress = fault.ProgressUnsent
	}
	v := a.JudgeCommit(ctx, &a.unit.Call, err, progress)
	if v.Outcome == fault.OutcomeUnknown && !a.MayBeCommitted() && !errors.Is(err, fault.ErrCommitUnknown) {
		return &fault.CommitError{Err: err}
	}
	return err
}

// A statement in the transaction of a unit of work that may end it is in doubt:
// COMMIT AND CHAIN, the name of a statement that was prepared beside the chain,
// EXECUTE. The server says with its answer what it has done; without an answer the
// doubt stays.

// announce tells the unit of work what is about to be sent in its transaction.
func (s *stmtCall) announce(text string) {
	if s.unit == nil {
		return
	}
	switch meant := meaning(s.conn, text); {
	case !keepsTx(meant):
		s.doubt(text)
	case s.call.Target.System == sp.CockroachDB:
		// The answer does not tell whether it has committed before.
		s.unit.SendCockroachDB(meant)
	}
}

// announceBatch tells the unit of work what was sent in its transaction. The doubts
// of a batch are one.
func (s *stmtCall) announceBatch() {
	if s.unit == nil {
		return
	}
	for _, q := range s.batched.QueuedQueries {
		if s.announce(q.SQL); s.doubts > 0 { // the rewritten one
			return
		}
	}
}

func keepsTx(text string) bool { return sqltext.KeepsTx(sqltext.PostgreSQL, text) }

func (s *stmtCall) doubt(text string) {
	if strings.Contains(text, ";") {
		s.unit.MarkUnsure() // the answer is the last statement's
		return
	}
	s.doubts++
	s.unit.Doubt()
}

// answered takes note of what the server says it has done for a statement.
func (s *stmtCall) answered(tag pgconn.CommandTag) {
	if s.unit == nil {
		return
	}
	if goesOn(s.unit, tag) {
		s.clear()
	}
}

// goesOn reports whether a unit's transaction is known to go on after a statement
// that the server has answered.
func goesOn(in *unit.State, tag pgconn.CommandTag) bool {
	text := tag.String()
	if text == "COMMIT" {
		in.MarkUnsure() // by a name that reads like another statement, perhaps
	}
	// By RELEASE CockroachDB may commit.
	return text != "RELEASE" && sqltext.TxEffectOf(sqltext.PostgreSQL, text) == sqltext.TxNeutral
}

// clear takes back the doubts.
func (s *stmtCall) clear() {
	for ; s.doubts > 0; s.doubts-- {
		s.unit.Clear()
	}
}

// failing reports whether a transaction goes on as one that failed.
func failing(conn *pgx.Conn) bool { return !conn.IsClosed() && conn.PgConn().TxStatus() == 'E' }

// wentOn takes note that what was sent in a unit's transaction has failed with err.
func (s *stmtCall) wentOn(err error) {
	if s.doubts > 0 && (failing(s.conn) || !s.conn.IsClosed() && s.unsent(err)) {
		s.clear()
	}
}
