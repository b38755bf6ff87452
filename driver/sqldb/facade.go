package sqldb

import (
	"context"
	"database/sql/driver"

	"github.com/ngrok/sqlmw"
	sp "github.com/sessionproxy/sessionproxy"
)

// facadeConn is a connection as database/sql sees it: sqlmw's, less the interfaces
// that the driver's own does not have. Variants add what is optional.
type facadeConn struct {
	mw     mwConn
	driver *driverConn
	conn   *conn // nil if the chain is empty
}

// mwConn is what sqlmw's connection implements and this package uses.
type mwConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
}

// newFacade puts sqlmw between the driver's connection and the connection returned,
// which leads to target.
func newFacade(d *driverConn, p *pipeline, target *sp.Target) (driver.Conn, error) {
	f := &facadeConn{driver: d}
	var between sqlmw.Interceptor = sqlmw.NullInterceptor{}
	if !p.empty {
		f.conn = &conn{pipeline: p, driver: d}
		if target != p.target.Load() {
			f.conn.elsewhere = target
		}
		between = f.conn
	}
	wrapped, err := sqlmw.Driver(fixed{d}, between).Open("")
	if err != nil {
		return nil, err
	}
	f.mw = wrapped.(mwConn)
	switch {
	case d.execer != nil && d.queryer != nil:
		return facadeBoth{f}, nil
	case d.execer != nil:
		return facadeExec{f}, nil
	case d.queryer != nil:
		return facadeQuery{f}, nil
	}
	return f, nil
}

// fixed is a driver that has one open connection: sqlmw opens its connections
// through a driver.
type fixed struct{ c driver.Conn }

func (f fixed) Open(string) (driver.Conn, error) { return f.c, nil }

// Raw returns the driver's own connection. See [Raw]. What is done with it nobody
// sees: it may begin transactions.
func (f *facadeConn) Raw() driver.Conn {
	f.driver.tx.doubt()
	return f.driver.raw
}

func (f *facadeConn) Prepare(query string) (driver.Stmt, error) {
	return f.PrepareContext(context.Background(), query)
}

func (f *facadeConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := f.mw.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &facadeStmt{Stmt: stmt, driver: f.driver.prepared}
	if s.driver.converter != nil {
		return facadeStmtConverter{s}, nil
	}
	return s, nil
}

func (f *facadeConn) Begin() (driver.Tx, error) {
	return f.BeginTx(context.Background(), driver.TxOptions{})
}

func (f *facadeConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return f.mw.BeginTx(ctx, opts)
}

// Ping is no operation for a driver that has none.
func (f *facadeConn) Ping(ctx context.Context) error {
	if f.driver.pinger == nil {
		return nil
	}
	return f.mw.Ping(ctx)
}

func (f *facadeConn) ResetSession(ctx context.Context) error {
	return f.driver.ResetSession(ctx)
}

func (f *facadeConn) IsValid() bool { return f.driver.IsValid() }

func (f *facadeConn) CheckNamedValue(v *driver.NamedValue) error { return f.driver.CheckNamedValue(v) }

func (f *facadeConn) Close() error {
	if f.conn != nil {
		f.conn.close()
	}
	return f.mw.Close()
}

// The variants: a connection whose driver can run a statement without
// preparing it first, for statements, for queries, or for both.
type (
	facadeExec  struct{ *facadeConn }
	facadeQuery struct{ *facadeConn }
	facadeBoth  struct{ *facadeConn }
)

func (f facadeExec) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return f.mw.ExecContext(ctx, query, args)
}

func (f facadeQuery) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return f.mw.QueryContext(ctx, query, args)
}

func (f facadeBoth) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return f.mw.ExecContext(ctx, query, args)
}

func (f facadeBoth) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return f.mw.QueryContext(ctx, query, args)
}
