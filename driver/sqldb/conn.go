package sqldb

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/ngrok/sqlmw"
	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// conn intercepts one connection: it is sqlmw's interceptor and makes a call
// of what sqlmw reports. The connection that sqlmw passes to its methods is
// driverConn behind another indirection, and not used. A conn is used by one
// goroutine at a time, as database/sql uses a connection.
type conn struct {
	sqlmw.NullInterceptor
	*pipeline
	driver    *driverConn
	elsewhere *sp.Target // where it leads, if not to the handle's own target

	spare  *stmtCall  // the first of the calls that are free for use
	begun  *beginning // the open transaction, if it was begun through BeginTx
	alone  beginning  // begun, if no call ends with it
	failed error      // after which the open transaction may be gone
	undone bool       // it is gone for certain
	rows   rows       // those of a statement without a call, in a transaction
}

// beginning is an open transaction and the call that ends with it.
type beginning struct {
	driverTx driver.Tx
	call     *sp.Call
	pooled   *stmtCall     // what call is a part of, if it is pooled
	over     chan struct{} // closed when it has ended, if it is a handle's
}

func (c *conn) inTx() bool { return c.begun != nil || c.driver.tx.inTx() }

// unit returns what is known of the unit of work whose transaction is open, or
// nil.
func (c *conn) unit() *unit.State {
	if c.begun == nil {
		return nil
	}
	return c.driver.begun.state()
}

// start takes a free call and describes it.
func (c *conn) start(ctx context.Context, op sp.Op, text string, args []driver.NamedValue) *stmtCall {
	s := c.spare
	if s == nil {
		s = &stmtCall{conn: c}
		attach.Reset(&s.Call, s)
	}
	c.spare, s.next = s.next, nil
	c.driver.unsent = false
	s.args = args
	s.Op, s.Text, s.InTx = op, text, c.inTx()
	s.Args = attach.NamedArgs(args)
	if s.Target = c.elsewhere; s.Target == nil {
		s.Target = c.target.Load()
	}
	attach.Bind(ctx, &s.Call)
	if s.handle = c.above(s); s.handle != nil {
		s.handle.call.Target = s.Target
	}
	return s
}

// above returns the handle's call that was made for this operation, or nil.
func (c *conn) above(s *stmtCall) *dbOp {
	if !s.Step() || s.Parent.Op != s.Op {
		return nil
	}
	h, ok := attach.PerformerOf(s.Parent).(*dbOp)
	if !ok || h.pipeline != c.pipeline {
		return nil
	}
	return h
}

// run passes s through the chain, or performs it straight away as a step of
// the handle's call. It reports whether the call's result is open, after
// which s must not be touched.
func (c *conn) run(ctx context.Context, s *stmtCall) (open bool, err error) {
	if s.handle != nil {
		return false, s.handle.step(ctx, s)
	}
	open, err = attach.Run(ctx, &s.Call, c.handler)
	if !open && err == nil && !s.performed {
		err = errNotPerformed(s.Op)
	}
	return open, err
}

// errNotPerformed is what becomes of a call that an interceptor let succeed
// without performing it: there is no result to return.
func errNotPerformed(op sp.Op) error {
	return fmt.Errorf("sqldb: %s: an interceptor returned without an error and without calling the next handler", op)
}

func (c *conn) ConnExecContext(ctx context.Context, _ driver.ExecerContext, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.failed == nil && c.passes(ctx, sp.OpExec) {
		res, err := c.driver.ExecContext(ctx, query, args)
		c.noteFailure(err, query)
		return res, err
	}
	return c.exec(ctx, c.start(ctx, sp.OpExec, query, args))
}

func (c *conn) StmtExecContext(ctx context.Context, e driver.StmtExecContext, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.failed == nil && c.passes(ctx, sp.OpExec) {
		res, err := e.ExecContext(ctx, args)
		c.noteFailure(err, query)
		return res, err
	}
	s := c.start(ctx, sp.OpExec, query, args)
	s.stmtExecer, s.Prepared = e, true
	return c.exec(ctx, s)
}

func (c *conn) exec(ctx context.Context, s *stmtCall) (driver.Result, error) {
	_, err := c.run(ctx, s)
	res := s.result
	if err == nil && res == nil { // an interceptor made a success of a failure
		res = noResult{}
	}
	s.free()
	return res, err
}

func (c *conn) ConnQueryContext(ctx context.Context, _ driver.QueryerContext, query string, args []driver.NamedValue) (context.Context, driver.Rows, error) {
	if c.failed == nil && c.passes(ctx, sp.OpQuery) {
		rows, err := c.driver.QueryContext(ctx, query, args)
		c.noteFailure(err, query)
		return ctx, c.watched(rows, query), err
	}
	rows, err := c.query(ctx, c.start(ctx, sp.OpQuery, query, args))
	return ctx, rows, err
}

func (c *conn) StmtQueryContext(ctx context.Context, q driver.StmtQueryContext, query string, args []driver.NamedValue) (context.Context, driver.Rows, error) {
	if c.failed == nil && c.passes(ctx, sp.OpQuery) {
		rows, err := q.QueryContext(ctx, args)
		c.noteFailure(err, query)
		return ctx, c.watched(rows, query), err
	}
	s := c.start(ctx, sp.OpQuery, query, args)
	s.stmtQueryer, s.Prepared = q, true
	rows, err := c.query(ctx, s)
	return ctx, rows, err
}

func (c *conn) query(ctx context.Context, s *stmtCall) (driver.Rows, error) {
	open, err := c.run(ctx, s)
	if err != nil {
		s.free()
		return nil, err
	}
	switch {
	case s.handle != nil:
		out := s.openRows()
		s.free()
		return out, nil
	case open && attach.Loose(&s.Call):
		raw, text := s.raw, s.Text
		s.free()
		return c.watched(raw, text), nil
	case !open: // an interceptor made a success of a failure
		s.free()
		return nil, errNotPerformed(sp.OpQuery)
	}
	return s.openRows(), nil
}

func (c *conn) ConnPrepareContext(ctx context.Context, _ driver.ConnPrepareContext, query string) (context.Context, driver.Stmt, error) {
	op := sp.OpPrepare
	if c.copies(query) {
		op = sp.OpCopy
	}
	s := c.start(ctx, op, query, nil)
	open, err := c.run(ctx, s)
	stmt := s.stmt
	if open {
		c.driver.prepared.copying = newCopying(ctx, s)
	} else {
		s.free()
	}
	if err == nil && stmt == nil { // an interceptor made a success of a failure
		err = errNotPerformed(op)
	}
	return ctx, stmt, err
}

func (c *conn) ConnPing(ctx context.Context, _ driver.Pinger) error {
	s := c.start(ctx, sp.OpPing, "", nil)
	_, err := c.run(ctx, s)
	s.free()
	return err
}

func (c *conn) ConnBeginTx(ctx context.Context, _ driver.ConnBeginTx, opts driver.TxOptions) (context.Context, driver.Tx, error) {
	if c.passes(ctx, sp.OpBegin) {
		return c.beginAlone(ctx, opts)
	}
	s := c.start(ctx, sp.OpBegin, "", nil)
	s.opts = opts
	begun := &s.ownBegun
	if s.handle != nil { // a transaction that ends with the handle's call
		begun = &beginning{over: make(chan struct{})}
		s.handle.begun = begun
	}
	s.begun = begun
	open, err := c.run(ctx, s)
	if err != nil {
		s.free()
		return ctx, nil, err
	}
	tx := begun.driverTx
	if tx == nil { // an interceptor made a success of a failure
		s.free()
		return ctx, nil, errNotPerformed(sp.OpBegin)
	}
	switch {
	case !open:
		if s.handle != nil { // COMMIT is no step of the handle's BEGIN
			ctx = s.handle.caller
		}
		s.free()
	case attach.Loose(&s.Call): // nobody waits for the transaction's end
		c.beganAlone(tx)
		s.free()
	}
	return ctx, tx, nil
}

func (c *conn) TxCommit(ctx context.Context, tx driver.Tx) error {
	if c.endsAlone(ctx, sp.OpCommit) {
		err := tx.Commit()
		return c.endedAlone(ctx, sp.OpCommit, err)
	}
	s := c.start(ctx, sp.OpCommit, "", nil)
	s.tx = tx
	return c.endTx(ctx, s)
}

func (c *conn) TxRollback(ctx context.Context, tx driver.Tx) error {
	if c.endsAlone(ctx, sp.OpRollback) {
		err := tx.Rollback()
		return c.endedAlone(ctx, sp.OpRollback, err)
	}
	s := c.start(ctx, sp.OpRollback, "", nil)
	s.tx = tx
	return c.endTx(ctx, s)
}

// endTx runs a commit or rollback and finishes the call that began the
// transaction. Should an interceptor have refused it, the transaction is
// rolled back all the same: database/sql will put the connection back into its
// pool, where no transaction may be open.
func (c *conn) endTx(ctx context.Context, s *stmtCall) (err error) {
	tx := s.tx
	err = sp.ErrAborted // stays if the chain panics
	defer func() {
		if !s.performed {
			_ = tx.Rollback()
		}
		if err != nil && s.performed && s.Verdict(err).Moot {
			c.finishTx(nil) // the transaction is rolled back, as was wanted
		} else {
			c.finishTx(err)
		}
		s.free()
	}()
	_, err = c.run(ctx, s)
	return err
}

// finishTx finishes the call of the transaction that was begun, if any.
func (c *conn) finishTx(err error) {
	b := c.begun
	c.begun, c.failed, c.undone = nil, nil, false
	if b == nil {
		return
	}
	over := b.over // b may be a part of what is given back
	if b.call != nil && attach.Finish(b.call, err) && b.pooled != nil {
		b.pooled.free()
	}
	if over != nil {
		close(over)
	}
}

// close is called when the connection is closed for good.
func (c *conn) close() {
	if c.begun != nil {
		c.finishTx(driver.ErrBadConn)
	}
}
