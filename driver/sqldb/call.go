package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// stmtCall is a call on one connection: what the driver is to do, and its
// result. It is used again by its connection.
type stmtCall struct {
	sp.Call
	conn *conn
	perCall
}

// perCall is the part of a stmtCall that is forgotten when it is given back.
type perCall struct {
	next   *stmtCall // in the list of free calls
	handle *dbOp     // the handle's call of which this is a step

	// What to do it with: the one of these that the operation needs.
	stmtExecer  driver.StmtExecContext
	stmtQueryer driver.StmtQueryContext
	tx          driver.Tx
	args        []driver.NamedValue
	opts        driver.TxOptions

	// What came of it.
	performed bool
	result    driver.Result
	stmt      driver.Stmt
	raw       driver.Rows     // the rows as the driver gave them
	rowsCtx   context.Context // the one they were made with
	ownRows   rows            // raw, if somebody waits for their end
	begun     *beginning      // where to note the transaction: ownBegun, or the handle's
	ownBegun  beginning
}

// free gives the call back to its connection. database/sql uses a connection
// from one goroutine at a time, so that the list of free calls needs no
// synchronisation; it is as long as calls were open at once.
func (s *stmtCall) free() {
	// The most frequent ones set the least.
	switch s.Op {
	case sp.OpExec:
		s.handle, s.stmtExecer, s.args = nil, nil, nil
		s.performed, s.result = false, nil
	case sp.OpQuery:
		s.handle, s.stmtQueryer, s.args = nil, nil, nil
		s.performed, s.raw, s.rowsCtx = false, nil, nil
		if s.ownRows.raw != nil {
			s.ownRows.forget()
		}
	default:
		s.perCall = perCall{}
	}
	s.next = s.conn.spare
	attach.Reset(&s.Call, s)
	s.conn.spare = s
}

// Do performs the call on its connection.
func (s *stmtCall) Do(ctx context.Context, _ *sp.Call) error {
	s.performed = true
	if s.handle != nil {
		s.handle.reached = true
	}
	if err := s.conn.refusal(ctx, s.Op); err != nil {
		if s.Op == sp.OpCommit {
			_ = s.tx.Rollback() // what is left of it
		}
		s.Judge(ctx, err, fault.PhaseStatement, fault.ProgressAnswered)
		return err
	}
	in := s.conn.unit()
	var err error
	switch s.Op {
	case sp.OpExec:
		s.announce(in)
		err = s.exec(ctx)
	case sp.OpQuery:
		s.announce(in)
		err = s.query(ctx)
	case sp.OpPrepare:
		s.stmt, err = s.conn.driver.PrepareContext(ctx, s.Text)
	case sp.OpCopy:
		s.announce(in)
		err = s.beginCopy(ctx)
	case sp.OpBegin:
		err = s.begin(ctx)
	case sp.OpPing:
		err = s.conn.driver.Ping(ctx)
	case sp.OpCommit:
		return s.commit(ctx)
	case sp.OpRollback:
		err = s.tx.Rollback()
	default:
		err = errors.ErrUnsupported
	}
	if err != nil {
		s.judge(ctx, err, s.Op.Phase())
		s.conn.noteFailure(err, s.Text)
	} else if s.Op != sp.OpRollback {
		in.Heard(nil, false)
	}
	return err
}

// announce tells the unit of work, if there is one, what is about to be sent.
func (s *stmtCall) announce(u *unit.State) {
	switch {
	case u == nil:
	case s.Target != nil && s.Target.System == sp.CockroachDB:
		u.SendCockroachDB(s.Text)
	default:
		u.Send(s.conn.driver.tx.dialect, s.Text)
	}
}

// judge keeps the verdict, on the handle's call too, which knows less, and has
// database/sql close a connection that is not to be used again.
func (s *stmtCall) judge(ctx context.Context, err error, phase fault.Phase) fault.Verdict {
	progress := fault.ProgressUnknown
	switch d := s.conn.driver; {
	case d.unsent:
		progress = fault.ProgressUnsent
	case d.tx.dialect == sqltext.MySQL && sqltext.LoadsFile(s.Text):
		progress = fault.ProgressSent // the error may be that of the caller's reader
	}
	if s.handle != nil {
		s.handle.progress, s.handle.inTx = progress, s.InTx
	}
	v := s.Judge(ctx, err, phase, progress)
	if s.Op == sp.OpRollback && s.conn.driver.unsent {
		// The connection was gone before, and the transaction with it. Drivers tell of
		// that in words of their own: go-sql-driver by the error that closed it.
		v = attach.JudgeBy(ctx, &s.Call, errors.Join(driver.ErrBadConn, err), phase, progress)
	}
	// SQLite refuses to roll back what it has rolled back by itself: its
	// connection, which may be the database, is sound.
	over := s.Op == sp.OpRollback && s.conn.driver.tx.dialect == sqltext.SQLite && !s.conn.driver.tx.inTx()
	s.conn.driver.unfit = s.conn.driver.unfit || v.DiscardConn && !over
	return v
}

func (s *stmtCall) exec(ctx context.Context) (err error) {
	if s.Prepared {
		s.result, err = s.stmtExecer.ExecContext(ctx, s.args)
	} else {
		s.conn.driver.again = s.Retried()
		s.result, err = s.conn.driver.ExecContext(ctx, s.Text, s.args)
	}
	if err == nil && s.result != nil {
		if n, rerr := s.result.RowsAffected(); rerr == nil {
			s.RowsAffected = n
		}
	}
	return err
}

func (s *stmtCall) query(ctx context.Context) (err error) {
	if s.Prepared {
		s.raw, err = s.stmtQueryer.QueryContext(ctx, s.args)
	} else {
		s.conn.driver.again = s.Retried()
		s.raw, err = s.conn.driver.QueryContext(ctx, s.Text, s.args)
	}
	if err != nil {
		return err
	}
	s.rowsCtx = ctx
	if s.handle != nil {
		attach.KeepOpen(s.handle.call)
	} else {
		attach.KeepOpen(&s.Call)
	}
	return nil
}

// openRows returns rows that finish the call, or the handle's above it.
func (s *stmtCall) openRows() *rows {
	out := &s.ownRows
	if s.handle != nil {
		out = new(rows)
		s.handle.driverRows = out
		out.call = s.handle.call
	} else {
		out.call, out.pooled = &s.Call, s
	}
	out.raw, out.ctx, out.conn = s.raw, s.rowsCtx, s.conn.driver
	if s.conn.begun != nil {
		out.watcher, out.text = s.conn, s.Text
	}
	if p, ok := s.raw.(*rows); ok { // prepared inside the call
		out.raw, out.stmt = p.raw, p.stmt
	}
	return out
}

func (s *stmtCall) begin(ctx context.Context) error {
	tx, err := s.conn.driver.BeginTx(ctx, s.opts)
	if err != nil {
		return err
	}
	b := s.begun
	b.driverTx = tx
	if s.handle != nil {
		b.call = s.handle.call
		attach.KeepOpen(s.handle.call)
	} else {
		b.call, b.pooled = &s.Call, s
		attach.KeepOpen(&s.Call)
	}
	s.conn.begun = b
	return nil
}

func (s *stmtCall) commit(ctx context.Context) error {
	err := s.tx.Commit()
	if err == nil {
		return nil
	}
	return s.committed(ctx, err)
}

// committed judges the error of a COMMIT, and wraps one that leaves the outcome
// open, so that callers can tell.
func (s *stmtCall) committed(ctx context.Context, err error) error {
	if v := s.judge(ctx, err, fault.PhaseCommit); v.Outcome == fault.OutcomeUnknown && !errors.Is(err, fault.ErrCommitUnknown) {
		return &fault.CommitError{Err: err}
	}
	return err
}

// Discard closes what Do left open: the call failed after all.
func (s *stmtCall) Discard() {
	switch s.Op {
	case sp.OpQuery:
		_ = s.raw.Close()
		s.raw = nil
	case sp.OpCopy:
		_ = s.stmt.Close()
		s.stmt = nil
	case sp.OpBegin:
		s.conn.begun = nil
		_ = s.begun.driverTx.Rollback()
	}
}

// Finalize writes down what the rows gave.
func (s *stmtCall) Finalize(err error) {
	if s.Op != sp.OpQuery {
		return
	}
	s.RowsReturned = s.ownRows.read
	if err != nil {
		s.judge(s.rowsCtx, err, fault.PhaseRows)
	}
}
