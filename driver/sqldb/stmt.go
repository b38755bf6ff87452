package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// lowerStmt is a prepared statement as sqlmw sees it.
type lowerStmt struct {
	l         *lower
	raw       driver.Stmt
	execer    driver.StmtExecContext
	queryer   driver.StmtQueryContext
	checker   driver.NamedValueChecker
	converter driver.ColumnConverter //nolint:staticcheck // some drivers have nothing else
}

func newLowerStmt(l *lower, raw driver.Stmt) *lowerStmt {
	s := &lowerStmt{l: l, raw: raw}
	s.execer, _ = raw.(driver.StmtExecContext)
	s.queryer, _ = raw.(driver.StmtQueryContext)
	s.checker, _ = raw.(driver.NamedValueChecker)
	s.converter, _ = raw.(driver.ColumnConverter) //nolint:staticcheck // see above
	return s
}

func (s *lowerStmt) Close() error  { return s.raw.Close() }
func (s *lowerStmt) NumInput() int { return s.raw.NumInput() }

// Exec is part of driver.Stmt; database/sql calls ExecContext.
func (s *lowerStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.raw.Exec(args) //nolint:staticcheck // the interface wants it
}

// Query is part of driver.Stmt; database/sql calls QueryContext.
func (s *lowerStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.raw.Query(args) //nolint:staticcheck // the interface wants it
}

func (s *lowerStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	dead := s.l.enter()
	res, err := s.exec(ctx, args)
	s.l.leave()
	if err != nil {
		return nil, s.l.guard(ctx, err, dead, false)
	}
	return res, nil
}

func (s *lowerStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	dead := s.l.enter()
	rows, err := s.query(ctx, args)
	s.l.leave()
	if err != nil {
		return nil, s.l.guard(ctx, err, dead, false)
	}
	return rows, nil
}

func (s *lowerStmt) exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.execer != nil {
		return s.execer.ExecContext(ctx, args)
	}
	plain, err := plainValues(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.raw.Exec(plain) //nolint:staticcheck // the only way there is for such a driver
}

func (s *lowerStmt) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
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
func (s *lowerStmt) CheckNamedValue(v *driver.NamedValue) error {
	if s.checker != nil {
		return s.checker.CheckNamedValue(v)
	}
	return s.l.CheckNamedValue(v)
}

// convert prepares arguments for a statement that was prepared inside a call.
func (s *lowerStmt) convert(args []driver.NamedValue) error {
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

// upperStmt is a prepared statement as database/sql sees it: sqlmw's, less the
// interfaces that the driver's own does not have.
type upperStmt struct {
	driver.Stmt
	lower *lowerStmt
}

func (s *upperStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *upperStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *upperStmt) CheckNamedValue(v *driver.NamedValue) error { return s.lower.CheckNamedValue(v) }

// upperStmtConverter is an upperStmt whose driver converts by column.
type upperStmtConverter struct{ *upperStmt }

func (s upperStmtConverter) ColumnConverter(idx int) driver.ValueConverter {
	return s.lower.converter.ColumnConverter(idx)
}
