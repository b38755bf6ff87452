package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// lower is the connection as sqlmw sees it. It has every optional interface
// and answers for those the driver lacks as database/sql would.
type lower struct {
	raw       driver.Conn
	execer    driver.ExecerContext
	queryer   driver.QueryerContext
	beginner  driver.ConnBeginTx
	preparer  driver.ConnPrepareContext
	pinger    driver.Pinger
	resetter  driver.SessionResetter
	validator driver.Validator
	checker   driver.NamedValueChecker

	habits    habits
	prepared  *lowerStmt // what PrepareContext returned last, for the shim above sqlmw
	tx        lowerTx    // a connection has one transaction at a time
	idleSince time.Time  // only kept if habits.idlePing is set
	inside    bool       // the driver is at work, or panicked there
	unsent    bool       // the operation at work failed before anything was sent
	unfit     bool       // a verdict said that it is not to be used again
}

func newLower(raw driver.Conn, h habits) *lower {
	l := &lower{raw: raw, habits: h}
	l.execer = asExecer(raw)
	l.queryer = asQueryer(raw)
	l.beginner, _ = raw.(driver.ConnBeginTx)
	l.preparer, _ = raw.(driver.ConnPrepareContext)
	l.pinger, _ = raw.(driver.Pinger)
	l.resetter, _ = raw.(driver.SessionResetter)
	l.validator, _ = raw.(driver.Validator)
	l.checker, _ = raw.(driver.NamedValueChecker)
	if h.idlePing > 0 {
		l.idleSince = time.Now()
	}
	return l
}

// dead reports whether the driver itself says that the connection is gone.
func (l *lower) dead() bool { return l.validator != nil && !l.validator.IsValid() }

// enter is called before the driver is asked for something that changes the
// connection's state, and leave after: if the driver panics in between, nobody
// knows that state, and the connection is not used again.
func (l *lower) enter() (dead bool) {
	l.inside = true
	return l.dead()
}

func (l *lower) leave() { l.inside = false }

func (l *lower) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	dead := l.enter()
	res, err := l.execer.ExecContext(ctx, query, args)
	if err != nil && errors.Is(err, driver.ErrSkip) {
		res, err = l.prepareAndExec(ctx, query, args)
	}
	l.leave()
	if err != nil {
		return nil, l.guard(ctx, err, dead, false)
	}
	return res, nil
}

func (l *lower) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	dead := l.enter()
	rows, err := l.queryer.QueryContext(ctx, query, args)
	if err != nil && errors.Is(err, driver.ErrSkip) {
		rows, err = l.prepareAndQuery(ctx, query, args)
	}
	l.leave()
	if err != nil {
		return nil, l.guard(ctx, err, dead, false)
	}
	return rows, nil
}

func (l *lower) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	dead := l.enter()
	stmt, err := l.prepare(ctx, query)
	l.leave()
	if err != nil {
		return nil, l.guard(ctx, err, dead, true)
	}
	l.prepared = stmt
	return stmt, nil
}

// prepare falls back to Prepare as database/sql does for a driver without
// ConnPrepareContext.
func (l *lower) prepare(ctx context.Context, query string) (*lowerStmt, error) {
	if l.preparer != nil {
		stmt, err := l.preparer.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		return newLowerStmt(l, stmt), nil
	}
	stmt, err := l.raw.Prepare(query)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		_ = stmt.Close()
		return nil, err
	}
	return newLowerStmt(l, stmt), nil
}

// BeginTx falls back to Begin as database/sql does for a driver without
// ConnBeginTx: options it can't carry out are refused.
func (l *lower) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	dead := l.enter()
	tx, err := l.begin(ctx, opts)
	l.leave()
	if err != nil {
		return nil, l.guard(ctx, err, dead, true)
	}
	l.tx = lowerTx{l: l, raw: tx}
	return &l.tx, nil
}

func (l *lower) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if l.beginner != nil {
		return l.beginner.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sqldb: begin: the driver does not support non-default isolation levels")
	}
	if opts.ReadOnly {
		return nil, errors.New("sqldb: begin: the driver does not support read-only transactions")
	}
	tx, err := l.raw.Begin() //nolint:staticcheck // the only way there is for such a driver
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}

func (l *lower) Ping(ctx context.Context) error {
	if l.pinger == nil {
		return nil
	}
	dead := l.enter()
	err := l.pinger.Ping(ctx)
	l.leave()
	if err != nil {
		return l.guard(ctx, err, dead, true)
	}
	return nil
}

// ResetSession is called by database/sql before it hands out a pooled
// connection.
func (l *lower) ResetSession(ctx context.Context) error {
	if l.habits.idlePing > 0 {
		now := time.Now()
		idle := now.Sub(l.idleSince)
		l.idleSince = now
		if idle >= l.habits.idlePing && l.pinger != nil && l.pinger.Ping(ctx) != nil && ctx.Err() == nil {
			return driver.ErrBadConn
		}
	}
	if l.resetter != nil {
		return l.resetter.ResetSession(ctx)
	}
	return nil
}

// IsValid is asked by database/sql when it gets the connection back.
func (l *lower) IsValid() bool { return !l.inside && !l.unfit && !l.dead() }

func (l *lower) CheckNamedValue(v *driver.NamedValue) error {
	if l.checker == nil {
		return driver.ErrSkip
	}
	return l.checker.CheckNamedValue(v)
}

func (l *lower) Prepare(query string) (driver.Stmt, error) {
	return l.PrepareContext(context.Background(), query)
}

func (l *lower) Begin() (driver.Tx, error) {
	return l.BeginTx(context.Background(), driver.TxOptions{})
}

func (l *lower) Close() error { return l.raw.Close() }

// lowerTx is a transaction as sqlmw sees it.
type lowerTx struct {
	l   *lower
	raw driver.Tx
}

func (t *lowerTx) Commit() error {
	dead := t.l.enter()
	err := t.raw.Commit()
	t.l.leave()
	if err != nil {
		return t.l.guardCommit(err, dead)
	}
	return nil
}

func (t *lowerTx) Rollback() error { return t.raw.Rollback() }

// prepareAndExec performs a statement that the driver asked to be prepared
// first (driver.ErrSkip), within the same call.
func (l *lower) prepareAndExec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := l.prepareFor(ctx, query, args)
	if err != nil {
		return nil, err
	}
	res, err := stmt.exec(ctx, args)
	_ = stmt.raw.Close() // the statement's work is done; database/sql ignores this error too
	return res, err
}

func (l *lower) prepareAndQuery(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := l.prepareFor(ctx, query, args)
	if err != nil {
		return nil, err
	}
	raw, err := stmt.query(ctx, args)
	if err != nil {
		_ = stmt.raw.Close()
		return nil, err
	}
	return &rows{raw: raw, stmt: stmt.raw}, nil
}

// prepareFor prepares a statement and converts args, which the connection's
// own conversion has passed, by the statement's.
func (l *lower) prepareFor(ctx context.Context, query string, args []driver.NamedValue) (*lowerStmt, error) {
	stmt, err := l.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	if err := stmt.convert(args); err != nil {
		_ = stmt.raw.Close()
		return nil, err
	}
	return stmt, nil
}
