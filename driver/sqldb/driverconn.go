package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/unit"
)

// driverConn is the connection as sqlmw sees it. It has every optional interface
// and answers for those the driver lacks as database/sql would.
type driverConn struct {
	raw       driver.Conn
	execer    driver.ExecerContext
	queryer   driver.QueryerContext
	beginner  driver.ConnBeginTx
	preparer  driver.ConnPrepareContext
	pinger    driver.Pinger
	resetter  driver.SessionResetter
	validator driver.Validator
	checker   driver.NamedValueChecker

	pipeline  *pipeline
	habits    habits
	tx        txWatch
	prepared  *driverStmt // what PrepareContext returned last, for the shim above sqlmw
	copying   *driverStmt // whose COPY is open, if it is one's call
	begun     driverTx    // a connection has one transaction at a time
	idleSince time.Time   // only kept if habits.idlePing is set
	copies    bool        // it takes the rows of a COPY as executions of a statement
	inside    bool        // the driver is at work, or panicked there
	again     bool        // the statement at work may be attempted again
	unsent    bool        // the operation at work failed before anything was sent
	bad       bool        // the driver has answered driver.ErrBadConn
	unfit     bool        // it is not to be used again
	lost      bool        // a test kit has made it so; see DoFailing
}

func newDriverConn(raw driver.Conn, p *pipeline) *driverConn {
	d := &driverConn{raw: raw, pipeline: p, habits: p.habits, tx: watch(p.dialect(), raw)}
	d.copies = strings.HasPrefix(packageOf(innermost(raw)), pqDriver)
	d.execer = asExecer(raw)
	d.queryer = asQueryer(raw)
	d.beginner, _ = raw.(driver.ConnBeginTx)
	d.preparer, _ = raw.(driver.ConnPrepareContext)
	d.pinger, _ = raw.(driver.Pinger)
	d.resetter, _ = raw.(driver.SessionResetter)
	d.validator, _ = raw.(driver.Validator)
	d.checker, _ = raw.(driver.NamedValueChecker)
	if d.habits.idlePing > 0 {
		d.idleSince = time.Now()
	}
	return d
}

// dead reports whether the driver itself says that the connection is gone.
func (d *driverConn) dead() bool {
	return d.lost || d.validator != nil && !d.validator.IsValid()
}

// enter is called before the driver is asked for something that changes the
// connection's state, and leave after: if the driver panics in between, nobody
// knows that state, and the connection is not used again.
//
// It reports whether the connection was gone before. database/sql asks a driver
// before it pools a connection, and gives up one that is not valid; so the driver
// is only asked here if it has called the connection bad since.
func (d *driverConn) enter() (dead bool) {
	if d.inside || d.bad {
		return d.enterDoubtful()
	}
	d.inside = true
	return false
}

func (d *driverConn) enterDoubtful() (dead bool) {
	d.unfit = d.unfit || d.inside
	d.inside = true
	return d.bad && d.dead()
}

func (d *driverConn) leave() { d.inside = false }

func (d *driverConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	dead := d.enter()
	res, err := d.execer.ExecContext(ctx, query, args)
	prepared := true
	if err != nil && errors.Is(err, driver.ErrSkip) {
		res, prepared, err = d.prepareAndExec(ctx, query, args)
	}
	d.leave()
	if err != nil {
		err = d.guard(ctx, err, dead || !prepared, false)
		d.tx.performed(query, err)
		return nil, err
	}
	d.tx.performed(query, nil)
	return res, nil
}

func (d *driverConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	dead := d.enter()
	rows, err := d.queryer.QueryContext(ctx, query, args)
	prepared := true
	if err != nil && errors.Is(err, driver.ErrSkip) {
		rows, prepared, err = d.prepareAndQuery(ctx, query, args)
	}
	d.leave()
	if err != nil {
		err = d.guard(ctx, err, dead || !prepared, false)
		d.tx.performed(query, err)
		return nil, err
	}
	d.tx.performed(query, nil)
	return rows, nil
}

func (d *driverConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	dead := d.enter()
	stmt, err := d.prepare(ctx, query)
	d.leave()
	if err != nil {
		return nil, d.guard(ctx, err, dead, true)
	}
	d.prepared = stmt
	return stmt, nil
}

// prepare falls back to Prepare as database/sql does for a driver without
// ConnPrepareContext.
func (d *driverConn) prepare(ctx context.Context, query string) (*driverStmt, error) {
	if d.preparer != nil {
		stmt, err := d.preparer.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		return newDriverStmt(d, stmt, query), nil
	}
	stmt, err := d.raw.Prepare(query)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		_ = stmt.Close()
		return nil, err
	}
	return newDriverStmt(d, stmt, query), nil
}

// BeginTx falls back to Begin as database/sql does for a driver without
// ConnBeginTx: options it can't carry out are refused.
func (d *driverConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	unit := d.unitBeginning(ctx)
	if unit != nil && d.tx.settings {
		d.checkSettings(ctx)
	}
	dead := d.enter()
	tx, err := d.begin(ctx, opts)
	d.leave()
	if unit != nil && d.tx.inTx() && d.binds(err) {
		unit.unit.Marks.NoRetry = true
	}
	if err != nil {
		return nil, d.guard(ctx, err, dead, true)
	}
	d.begun = driverTx{conn: d, raw: tx, unit: unit}
	return &d.begun, nil
}

func (d *driverConn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if d.beginner != nil {
		return d.beginner.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sqldb: begin: the driver does not support non-default isolation levels")
	}
	if opts.ReadOnly {
		return nil, errors.New("sqldb: begin: the driver does not support read-only transactions")
	}
	tx, err := d.raw.Begin() //nolint:staticcheck // the only way there is for such a driver
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		_ = tx.Rollback()
		return nil, err
	}
	return tx, nil
}

func (d *driverConn) Ping(ctx context.Context) error {
	if d.pinger == nil {
		return nil
	}
	dead := d.enter()
	err := d.pinger.Ping(ctx)
	d.leave()
	if err != nil {
		return d.guard(ctx, err, dead, true)
	}
	return nil
}

// ResetSession is called by database/sql before it hands out a pooled
// connection.
func (d *driverConn) ResetSession(ctx context.Context) error {
	if d.habits.idlePing > 0 && !d.survivedIdling(ctx) {
		return driver.ErrBadConn
	}
	if d.resetter != nil {
		if err := d.resetter.ResetSession(ctx); err != nil {
			return err
		}
		if d.habits.resets {
			d.tx.is(txNone)
		}
	}
	if d.tx.ask {
		return d.resolveTx(ctx)
	}
	return nil
}

// survivedIdling asks the server of a connection that has idled for long.
func (d *driverConn) survivedIdling(ctx context.Context) bool {
	now := time.Now()
	idle := now.Sub(d.idleSince)
	d.idleSince = now
	return idle < d.habits.idlePing || d.pinger == nil || d.pinger.Ping(ctx) == nil || ctx.Err() != nil
}

// IsValid is asked by database/sql when it gets the connection back.
func (d *driverConn) IsValid() bool { return !d.inside && !d.unfit && !d.dead() }

func (d *driverConn) CheckNamedValue(v *driver.NamedValue) error {
	if d.checker == nil {
		return driver.ErrSkip
	}
	return d.checker.CheckNamedValue(v)
}

func (d *driverConn) Prepare(query string) (driver.Stmt, error) {
	return d.PrepareContext(context.Background(), query)
}

func (d *driverConn) Begin() (driver.Tx, error) {
	return d.BeginTx(context.Background(), driver.TxOptions{})
}

func (d *driverConn) Close() error { return d.raw.Close() }

// unitBeginning returns the attempt at a unit whose BEGIN was performed with
// ctx, or nil. Other transactions that the unit's function begins with its
// context are none of the unit's.
func (d *driverConn) unitBeginning(ctx context.Context) *attempt {
	if sp.CallFrom(ctx) == nil {
		return nil // the most frequent, for less
	}
	if a := attemptOf(ctx, d.pipeline); a != nil && !a.Begun() {
		return a
	}
	return nil
}

// driverTx is a transaction as sqlmw sees it.
type driverTx struct {
	conn *driverConn
	raw  driver.Tx
	unit *attempt // whose transaction it is, or nil
}

// state returns what is known of the transaction of a unit, or nil.
func (t *driverTx) state() *unit.State {
	if t.unit == nil {
		return nil
	}
	return &t.unit.State
}

func (t *driverTx) Commit() error {
	t.state().Commit()
	dead := t.conn.enter()
	err := t.raw.Commit()
	t.conn.leave()
	t.conn.tx.ended(err)
	if err != nil {
		return t.conn.guardCommit(err, dead)
	}
	return nil
}

func (t *driverTx) Rollback() error {
	t.conn.abandonCopy()
	gone := t.conn.dead()
	t.conn.enter()
	err := t.raw.Rollback()
	t.conn.leave()
	t.conn.tx.ended(err)
	if err != nil && t.conn.tx.dialect == sqltext.SQLite { // it may have rolled back before
		if state, perr := t.conn.probeSQLite(context.Background()); perr == nil {
			t.conn.tx.is(state)
		}
	}
	t.conn.noteBad(err)
	t.conn.unsent = err != nil && (gone || saysUnsent(err))
	t.state().Rollback()
	return err
}

// prepareAndExec performs a statement that the driver asked to be prepared
// first (driver.ErrSkip), within the same call. Until it reports that the
// statement is prepared, nothing was sent that could take effect.
func (d *driverConn) prepareAndExec(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, prepared bool, err error) {
	stmt, args, err := d.prepareFor(ctx, query, args)
	if err != nil {
		return nil, false, err
	}
	res, err = stmt.exec(ctx, args)
	_ = stmt.raw.Close() // the statement's work is done; database/sql ignores this error too
	return res, true, err
}

func (d *driverConn) prepareAndQuery(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Rows, prepared bool, err error) {
	stmt, args, err := d.prepareFor(ctx, query, args)
	if err != nil {
		return nil, false, err
	}
	raw, err := stmt.query(ctx, args)
	if err != nil {
		_ = stmt.raw.Close()
		return nil, true, err
	}
	return &rows{raw: raw, stmt: stmt.raw, conn: d}, true, nil
}

// prepareFor prepares a statement and converts args, which the connection's
// own conversion has passed, by the statement's. If another attempt may follow, it
// converts a copy, since a conversion need not bear its own result.
func (d *driverConn) prepareFor(ctx context.Context, query string, args []driver.NamedValue) (*driverStmt, []driver.NamedValue, error) {
	stmt, err := d.prepare(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	if d.again {
		args = slices.Clone(args)
	}
	if err := stmt.convert(args); err != nil {
		_ = stmt.raw.Close()
		return nil, nil, err
	}
	return stmt, args, nil
}
