package sqldb

import (
	"context"
	"database/sql/driver"

	"github.com/ngrok/sqlmw"
)

// upper is a connection as database/sql sees it: sqlmw's, less the interfaces
// that the driver's own does not have. Variants add what is optional.
type upper struct {
	mw    mwConn
	lower *lower
	conn  *conn // nil if the chain is empty
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

// newUpper puts sqlmw between lower and the connection returned.
func newUpper(l *lower, p *pipeline) (driver.Conn, error) {
	u := &upper{lower: l}
	var between sqlmw.Interceptor = sqlmw.NullInterceptor{}
	if !p.empty {
		u.conn = &conn{pipeline: p, lower: l}
		between = u.conn
	}
	wrapped, err := sqlmw.Driver(fixed{l}, between).Open("")
	if err != nil {
		return nil, err
	}
	u.mw = wrapped.(mwConn)
	switch {
	case l.execer != nil && l.queryer != nil:
		return upperBoth{u}, nil
	case l.execer != nil:
		return upperExec{u}, nil
	case l.queryer != nil:
		return upperQuery{u}, nil
	}
	return u, nil
}

// fixed is a driver that has one open connection: sqlmw opens its connections
// through a driver.
type fixed struct{ c driver.Conn }

func (f fixed) Open(string) (driver.Conn, error) { return f.c, nil }

// Raw returns the driver's own connection. See [Raw].
func (u *upper) Raw() driver.Conn { return u.lower.raw }

func (u *upper) Prepare(query string) (driver.Stmt, error) {
	return u.PrepareContext(context.Background(), query)
}

func (u *upper) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := u.mw.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &upperStmt{Stmt: stmt, lower: u.lower.prepared}
	if s.lower.converter != nil {
		return upperStmtConverter{s}, nil
	}
	return s, nil
}

func (u *upper) Begin() (driver.Tx, error) {
	return u.BeginTx(context.Background(), driver.TxOptions{})
}

func (u *upper) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return u.mw.BeginTx(ctx, opts)
}

// Ping is no operation for a driver that has none.
func (u *upper) Ping(ctx context.Context) error {
	if u.lower.pinger == nil {
		return nil
	}
	return u.mw.Ping(ctx)
}

func (u *upper) ResetSession(ctx context.Context) error {
	if u.conn != nil {
		u.conn.reset()
	}
	return u.lower.ResetSession(ctx)
}

func (u *upper) IsValid() bool { return u.lower.IsValid() }

func (u *upper) CheckNamedValue(v *driver.NamedValue) error { return u.lower.CheckNamedValue(v) }

func (u *upper) Close() error {
	if u.conn != nil {
		u.conn.close()
	}
	return u.mw.Close()
}

// The variants: a connection whose driver can run a statement without
// preparing it first, for statements, for queries, or for both.
type (
	upperExec  struct{ *upper }
	upperQuery struct{ *upper }
	upperBoth  struct{ *upper }
)

func (u upperExec) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return u.mw.ExecContext(ctx, query, args)
}

func (u upperQuery) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return u.mw.QueryContext(ctx, query, args)
}

func (u upperBoth) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return u.mw.ExecContext(ctx, query, args)
}

func (u upperBoth) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return u.mw.QueryContext(ctx, query, args)
}
