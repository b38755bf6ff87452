package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// ErrTxUndone is matched by the errors of statements and the COMMIT of a
// transaction that the database has rolled back by itself. They wrap the error
// that caused the rollback.
//
// MySQL rolls back the victim of a deadlock, and SQLite an interrupted write,
// and both continue as if there were no transaction: if the caller ignores the
// error, its later statements would be committed one by one. PostgreSQL refuses
// such statements itself.
var ErrTxUndone = errors.New("sqldb: the database has rolled back the transaction: roll back, or have the unit replayed")

// undoneError is what a statement in such a transaction gets.
type undoneError struct{ cause error }

// Error tells of the transaction and of what has undone it.
func (e *undoneError) Error() string { return ErrTxUndone.Error() + ": " + e.cause.Error() }

// Unwrap returns the sentinel and the cause.
func (e *undoneError) Unwrap() []error { return []error{ErrTxUndone, e.cause} }

// noteFailure remembers an error of a statement after which the open transaction
// may be gone. It does nothing if err is nil.
func (c *conn) noteFailure(err error, text string) {
	if err == nil || c.begun == nil {
		return
	}
	defer func() { c.unit().Heard(err, c.undone || c.refusesItself()) }()
	if fault.Code(err) == lockWaitTimeout && sqltext.LimitsLockWait(text) {
		c.unit().HeardLimit()
	}
	if c.undone || c.refusesItself() {
		return
	}
	switch fault.Of(err, fault.Situation{InTx: true}).Tx {
	case fault.TxUndone:
		c.failed, c.undone = err, true
	case fault.TxUnknown:
		c.failed = err
	}
}

// refusesItself reports whether the server refuses what comes after a failure.
func (c *conn) refusesItself() bool { return c.driver.tx.dialect == sqltext.PostgreSQL }

// refusal returns the error of a statement that would be sent into a
// transaction that is gone, or nil.
func (c *conn) refusal(ctx context.Context, op sp.Op) error {
	if c.failed == nil || op == sp.OpRollback || op == sp.OpBegin || op == sp.OpPing {
		return nil
	}
	if !c.undone {
		if c.survived(ctx) {
			c.failed = nil
			return nil
		}
		c.undone = true
	}
	return &undoneError{c.failed}
}

// survived reports whether the open transaction is certain to be there after an
// error that leaves it open whether it is: by the server's settings, by the
// statement (INSERT OR ROLLBACK), or since no answer came. The server is asked
// when the next statement wants to be sent, which after most such errors none
// does.
func (c *conn) survived(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	d := c.driver
	switch {
	case fault.Code(c.failed) == lockWaitTimeout:
		return d.keptOnTimeout(ctx)
	case d.tx.dialect == sqltext.SQLite:
		state, err := d.probeSQLite(ctx)
		return err == nil && state == txOpen
	case d.system() == sp.MariaDB:
		row, err := d.row(ctx, "SELECT @@in_transaction", 1)
		return err == nil && row[0] == "1"
	case d.tx.dialect == sqltext.MySQL:
		return false
	}
	// An unknown database that has answered has refused the statement alone.
	return fault.Of(c.failed, fault.Situation{InTx: true}).Outcome == fault.OutcomeAnswered
}

// lockWaitTimeout is MySQL's and MariaDB's ER_LOCK_WAIT_TIMEOUT.
const lockWaitTimeout = "1205"

// watched returns rows whose failure in a transaction is taken note of.
func (c *conn) watched(raw driver.Rows, text string) driver.Rows {
	if raw == nil || c.begun == nil || c.refusesItself() && c.unit() == nil {
		return raw
	}
	r := &c.rows
	if r.raw != nil { // others are open
		r = new(rows)
	}
	*r = rows{raw: raw, conn: c.driver, watcher: c, text: text}
	if p, ok := raw.(*rows); ok { // prepared inside the statement
		r.raw, r.stmt = p.raw, p.stmt
	}
	return r
}
