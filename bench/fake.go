// Package bench compares this library with its peers: the same statements
// through each, in one run, as ratios. It is a module of its own, so that no
// peer reaches a user's dependency graph.
package bench

import (
	"context"
	"database/sql/driver"
	"io"
)

// fakeDriver is an in-memory driver that costs next to nothing, so that what
// is measured is what stands in front of it. Its connection has the interfaces
// a modern driver has.
type fakeDriver struct{}

func (fakeDriver) Open(string) (driver.Conn, error) { return &fakeConn{}, nil }

func (d fakeDriver) OpenConnector(string) (driver.Connector, error) { return fakeConnector{d}, nil }

type fakeConnector struct{ d driver.Driver }

func (c fakeConnector) Connect(context.Context) (driver.Conn, error) { return &fakeConn{}, nil }
func (c fakeConnector) Driver() driver.Driver                        { return c.d }

type fakeConn struct{}

func (*fakeConn) Prepare(string) (driver.Stmt, error) { return fakeStmt{}, nil }
func (*fakeConn) Close() error                        { return nil }
func (*fakeConn) Begin() (driver.Tx, error)           { return fakeTx{}, nil }
func (*fakeConn) Ping(context.Context) error          { return nil }
func (*fakeConn) ResetSession(context.Context) error  { return nil }
func (*fakeConn) IsValid() bool                       { return true }
func (*fakeConn) CheckNamedValue(nv *driver.NamedValue) error {
	if _, ok := nv.Value.(int64); ok {
		return nil
	}
	return driver.ErrSkip
}

func (*fakeConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	return fakeTx{}, nil
}

func (*fakeConn) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return fakeStmt{}, nil
}

func (*fakeConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

func (*fakeConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &fakeRows{}, nil
}

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

type fakeStmt struct{}

func (fakeStmt) Close() error  { return nil }
func (fakeStmt) NumInput() int { return -1 }

func (fakeStmt) Exec([]driver.Value) (driver.Result, error) { return driver.RowsAffected(1), nil }
func (fakeStmt) Query([]driver.Value) (driver.Rows, error)  { return &fakeRows{}, nil }

func (fakeStmt) ExecContext(context.Context, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

func (fakeStmt) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return &fakeRows{}, nil
}

// fakeRows is one row of one integer.
type fakeRows struct{ read bool }

func (*fakeRows) Columns() []string { return []string{"n"} }
func (*fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	dest[0] = int64(1)
	return nil
}
