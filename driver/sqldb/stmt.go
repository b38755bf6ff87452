package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// driverStmt is a prepared statement as sqlmw sees it.
type driverStmt struct {
	conn      *driverConn
	raw       driver.Stmt
	effect    sqltext.TxEffect
	execer    driver.StmtExecContext
	queryer   driver.StmtQueryContext
	checker   driver.NamedValueChecker
	converter driver.ColumnConverter //nolint:staticcheck // some drivers have nothing else
	copying   *copying               // if it takes the rows of a COPY
}

func newDriverStmt(d *driverConn, raw driver.Stmt, query string) *driverStmt {
	s := &driverStmt{conn: d, raw: raw, effect: d.tx.effect(query)}
	s.execer, _ = raw.(driver.StmtExecContext)
	s.queryer, _ = raw.(driver.StmtQueryContext)
	s.checker, _ = raw.(driver.NamedValueChecker)
	s.converter, _ = raw.(driver.ColumnConverter) //nolint:staticcheck // see above
	return s
}

func (s *driverStmt) NumInput() int { return s.raw.NumInput() }

// Close ends a COPY too, as lib/pq does.
func (s *driverStmt) Close() error {
	if s.conn.lost { // and may be closed, which modernc's statements do not survive
		return nil
	}
	if s.copying.open() {
		return s.endCopy()
	}
	return s.raw.Close()
}

// Exec is part of driver.Stmt; database/sql calls ExecContext.
func (s *driverStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.raw.Exec(args) //nolint:staticcheck // the interface wants it
}

// Query is part of driver.Stmt; database/sql calls QueryContext.
func (s *driverStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.raw.Query(args) //nolint:staticcheck // the interface wants it
}

func (s *driverStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	dead := s.conn.enter()
	res, err := s.exec(ctx, args)
	s.conn.leave()
	if err != nil {
		err = s.conn.guard(ctx, err, dead, false)
	}
	s.conn.tx.passed(s.effect, err)
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (s *driverStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	dead := s.conn.enter()
	rows, err := s.query(ctx, args)
	s.conn.leave()
	if err != nil {
		err = s.conn.guard(ctx, err, dead, false)
	}
	s.conn.tx.passed(s.effect, err)
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func (s *driverStmt) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.execer != nil {
		return s.execer.ExecContext(ctx, args)
	}
	plain, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.raw.Exec(plain) //nolint:staticcheck // the only way there is for such a driver
}

func (s *driverStmt) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.queryer != nil {
		return s.queryer.QueryContext(ctx, args)
	}
	plain, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.raw.Query(plain) //nolint:staticcheck // the only way there is for such a driver
}

// CheckNamedValue asks the statement, then the connection, as database/sql
// does; driver.ErrSkip sends it on to the column converter or the default.
func (s *driverStmt) CheckNamedValue(v *driver.NamedValue) error {
	if s.checker != nil {
		return s.checker.CheckNamedValue(v)
	}
	return s.conn.CheckNamedValue(v)
}

// convert prepares arguments for a statement that was prepared inside a call.
func (s *driverStmt) convert(args []driver.NamedValue) error {
	if want := s.raw.NumInput(); want >= 0 && want != len(args) {
		return fmt.Errorf("sqldb: expected %d arguments, got %d", want, len(args))
	}
	for i := range args {
		err := s.CheckNamedValue(&args[i])
		if errors.Is(err, driver.ErrSkip) && s.converter != nil {
			args[i].Value, err = s.converter.ColumnConverter(args[i].Ordinal - 1).ConvertValue(args[i].Value)
		}
		if err != nil && !errors.Is(err, driver.ErrSkip) {
			return fmt.Errorf("sqldb: converting argument %d: %w", args[i].Ordinal, err)
		}
	}
	return nil
}

// facadeStmt is a prepared statement as database/sql sees it: sqlmw's, less the
// interfaces that the driver's own does not have.
type facadeStmt struct {
	driver.Stmt
	driver *driverStmt
}

func (s *facadeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.driver.copying.open() {
		return s.driver.copyRow(ctx, args)
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *facadeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *facadeStmt) CheckNamedValue(v *driver.NamedValue) error { return s.driver.CheckNamedValue(v) }

// facadeStmtConverter is an facadeStmt whose driver converts by column.
type facadeStmtConverter struct{ *facadeStmt }

func (s facadeStmtConverter) ColumnConverter(idx int) driver.ValueConverter {
	return s.driver.converter.ColumnConverter(idx)
}
