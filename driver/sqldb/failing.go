package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

var (
	_ attach.Failer = (*stmtCall)(nil)
	_ attach.Failer = (*dbOp)(nil)
	_ attach.Failer = (*dialCall)(nil)
)

// DoFailing performs the call with a driver that fails: whatever the pipeline does
// with a driver's error, it does with this one.
func (s *stmtCall) DoFailing(ctx context.Context, call *sp.Call, f attach.Failure) error {
	d := s.conn.driver
	x := &failingDriver{
		failure: f, conn: d, text: s.Text, inTx: s.InTx, execer: d.execer, queryer: d.queryer, preparer: d.preparer,
		beginner: d.beginner, pinger: d.pinger, tx: d.begun.raw, stmtExecer: s.stmtExecer, stmtQueryer: s.stmtQueryer,
	}
	switch s.Op {
	case sp.OpExec:
		d.execer = x
		if s.Prepared {
			s.stmtExecer = failingStmt{x}
		}
	case sp.OpQuery:
		d.queryer = x
		if s.Prepared {
			s.stmtQueryer = failingStmt{x}
		}
	case sp.OpPrepare, sp.OpCopy:
		d.preparer = x
	case sp.OpBegin:
		d.beginner = x
	case sp.OpPing:
		d.pinger = x
	case sp.OpCommit, sp.OpRollback:
		d.begun.raw = x
	}
	defer x.restore()
	return s.Do(ctx, call)
}

// Lost reports whether a failure has cost the call its connection.
func (s *stmtCall) Lost() bool { return s.conn.driver.lost }

// DoFailing performs the call with a driver that fails once: database/sql may get
// past that by itself.
func (h *dbOp) DoFailing(ctx context.Context, call *sp.Call, f attach.Failure) error {
	h.failure = &f
	defer func() { h.failure = nil }()
	return h.Do(ctx, call)
}

// Lost returns false: the call takes another connection each time.
func (*dbOp) Lost() bool { return false }

// step performs s as a step of the handle's call.
func (h *dbOp) step(ctx context.Context, s *stmtCall) error {
	if f := h.failure; f != nil {
		h.failure = nil
		return s.DoFailing(ctx, &s.Call, *f)
	}
	return s.Do(ctx, &s.Call)
}

// DoFailing opens no connection.
func (d *dialCall) DoFailing(ctx context.Context, call *sp.Call, f attach.Failure) error {
	if f.After {
		if err := d.Do(ctx, call); err != nil {
			return err
		}
	}
	d.drop()
	if f.Panic != nil {
		panic(f.Panic)
	}
	d.Judge(ctx, f.Err, fault.PhaseConnect, fault.ProgressUnsent)
	return d.connector.mask.Hide("sqldb: connect", f.Err)
}

// Lost returns false: there is no connection yet.
func (*dialCall) Lost() bool { return false }

// failingDriver stands in for what a driver has been asked for, and keeps the
// driver's own.
type failingDriver struct {
	failure attach.Failure
	conn    *driverConn
	text    string
	inTx    bool

	execer      driver.ExecerContext
	queryer     driver.QueryerContext
	preparer    driver.ConnPrepareContext
	beginner    driver.ConnBeginTx
	pinger      driver.Pinger
	tx          driver.Tx
	stmtExecer  driver.StmtExecContext
	stmtQueryer driver.StmtQueryContext
}

// restore puts the driver's own back. A transaction may have begun meanwhile, or
// have ended.
func (x *failingDriver) restore() {
	d := x.conn
	d.execer, d.queryer, d.preparer, d.beginner, d.pinger = x.execer, x.queryer, x.preparer, x.beginner, x.pinger
	if d.begun.raw == driver.Tx(x) {
		d.begun.raw = x.tx
	}
}

// strike does to the connection what the failure does, and returns its error.
func (x *failingDriver) strike() error {
	if x.failure.Panic != nil {
		panic(x.failure.Panic)
	}
	if x.failure.Lost {
		x.conn.lose()
	} else {
		x.spoil()
	}
	return x.failure.Err
}

// lose makes the connection one that is gone. The server rolls back the
// transaction of such a connection.
func (d *driverConn) lose() {
	if d.lost {
		return
	}
	d.lost, d.bad, d.unfit = true, true, true
	if d.tx.dialect != sqltext.SQLite {
		_ = d.raw.Close()
		return
	}
	d.say("ROLLBACK") // closing it would lose a database that is in memory
}

// say performs a text below all that watches.
func (d *driverConn) say(text string) {
	if d.execer == nil {
		return
	}
	e := d.execer
	if x, ok := e.(*failingDriver); ok {
		e = x.execer
	}
	_, _ = e.ExecContext(context.Background(), text, nil)
}

// spoil leaves an open transaction as a server leaves it after the error.
func (x *failingDriver) spoil() {
	if !x.inTx {
		return
	}
	switch fault.Of(x.failure.Err, fault.Situation{InTx: true}).Tx {
	case fault.TxUndone:
		x.conn.say("ROLLBACK")
	case fault.TxFailed:
		if x.conn.tx.dialect == sqltext.PostgreSQL {
			x.conn.say("ROLLBACK TO SAVEPOINT sptest_there_is_none")
		}
	}
}

// ExecContext fails as the driver would: it has prepared the statement first, if
// it does so by itself.
func (x *failingDriver) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if x.failure.After {
		_, err := x.execer.ExecContext(ctx, query, args)
		if errors.Is(err, driver.ErrSkip) {
			_, _, err = x.conn.prepareAndExec(ctx, query, args)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, x.strike()
}

// QueryContext fails as the driver would, or returns rows that do.
func (x *failingDriver) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !x.failure.After && x.failure.Rows == 0 {
		return nil, x.strike()
	}
	rows, err := x.queryer.QueryContext(ctx, query, args)
	if errors.Is(err, driver.ErrSkip) {
		rows, _, err = x.conn.prepareAndQuery(ctx, query, args)
	}
	return x.answer(rows, err)
}

// answer loses the answer of a query, or the last of its rows.
func (x *failingDriver) answer(rows driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	if x.failure.Rows > 0 {
		return &failingRows{rows, x, x.failure.Rows}, nil
	}
	drain(rows)
	return nil, x.strike()
}

// drain reads all rows: some drivers do the work as they are read.
func drain(rows driver.Rows) {
	row := make([]driver.Value, len(rows.Columns()))
	for rows.Next(row) == nil {
	}
	_ = rows.Close()
}

// PrepareContext fails as the driver would.
func (x *failingDriver) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if x.failure.After {
		x.conn.preparer = x.preparer
		stmt, err := x.conn.prepare(ctx, query)
		if err != nil {
			return nil, err
		}
		_ = stmt.raw.Close()
	}
	return nil, x.strike()
}

// BeginTx fails as the driver would.
func (x *failingDriver) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if x.failure.After {
		x.conn.beginner = x.beginner
		tx, err := x.conn.begin(ctx, opts)
		if err != nil {
			return nil, err
		}
		_ = tx.Rollback()
	}
	return nil, x.strike()
}

// Ping fails as the driver would.
func (x *failingDriver) Ping(ctx context.Context) error {
	if x.failure.After && x.pinger != nil {
		if err := x.pinger.Ping(ctx); err != nil {
			return err
		}
	}
	return x.strike()
}

// Commit commits before it fails, or rolls back.
func (x *failingDriver) Commit() error {
	if x.conn.lost {
		return x.failure.Err
	}
	if x.failure.After {
		if err := x.tx.Commit(); err != nil {
			return err
		}
	} else {
		_ = x.tx.Rollback()
	}
	return x.end()
}

// Rollback rolls back: a transaction whose connection is gone is undone too.
func (x *failingDriver) Rollback() error {
	if x.conn.lost {
		return x.failure.Err
	}
	_ = x.tx.Rollback()
	return x.end()
}

// end is strike for a transaction that has ended.
func (x *failingDriver) end() error {
	x.inTx = false
	return x.strike()
}

// failingStmt stands in for a prepared statement.
type failingStmt struct{ *failingDriver }

// ExecContext is that of a prepared statement.
func (x failingStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if x.failure.After {
		if _, err := x.stmtExecer.ExecContext(ctx, args); err != nil {
			return nil, err
		}
	}
	return nil, x.guarded(ctx)
}

// QueryContext is that of a prepared statement.
func (x failingStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if !x.failure.After && x.failure.Rows == 0 {
		return nil, x.guarded(ctx)
	}
	rows, err := x.stmtQueryer.QueryContext(ctx, args)
	if err == nil && x.failure.Rows == 0 {
		drain(rows)
		return nil, x.guarded(ctx)
	}
	return x.answer(rows, err)
}

// guarded returns the error as [driverStmt] does.
func (x failingStmt) guarded(ctx context.Context) error {
	d := x.conn
	dead := d.enter()
	err := x.strike()
	d.leave()
	err = d.guard(ctx, err, dead, false)
	d.tx.passed(d.tx.effect(x.text), err)
	return err
}

// failingRows are rows that break off.
type failingRows struct {
	driver.Rows
	driver *failingDriver
	left   int
}

// Next returns the rows that are left, and then the failure. A result that has
// ended before did not break off.
func (r *failingRows) Next(dest []driver.Value) error {
	if r.left > 0 {
		r.left--
		return r.Rows.Next(dest)
	}
	if struck := r.driver.failure.Struck; struck != nil {
		struck()
	}
	return r.driver.strike()
}

// HasNextResultSet is that of the driver's rows.
func (r *failingRows) HasNextResultSet() bool {
	n, ok := r.Rows.(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

// NextResultSet is that of the driver's rows.
func (r *failingRows) NextResultSet() error {
	if n, ok := r.Rows.(driver.RowsNextResultSet); ok {
		return n.NextResultSet()
	}
	return io.EOF
}

// ColumnTypeDatabaseTypeName is that of the driver's rows.
func (r *failingRows) ColumnTypeDatabaseTypeName(i int) string {
	if c, ok := r.Rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return c.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength is that of the driver's rows.
func (r *failingRows) ColumnTypeLength(i int) (length int64, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeLength); ok {
		return c.ColumnTypeLength(i)
	}
	return 0, false
}

// ColumnTypeNullable is that of the driver's rows.
func (r *failingRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypeNullable); ok {
		return c.ColumnTypeNullable(i)
	}
	return false, false
}

// ColumnTypePrecisionScale is that of the driver's rows.
func (r *failingRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	if c, ok := r.Rows.(driver.RowsColumnTypePrecisionScale); ok {
		return c.ColumnTypePrecisionScale(i)
	}
	return 0, 0, false
}

// ColumnTypeScanType is that of the driver's rows.
func (r *failingRows) ColumnTypeScanType(i int) reflect.Type {
	if c, ok := r.Rows.(driver.RowsColumnTypeScanType); ok {
		return c.ColumnTypeScanType(i)
	}
	return reflect.TypeFor[any]()
}
