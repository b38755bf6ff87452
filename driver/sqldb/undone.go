package sqldb

import (
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// ErrTxUndone is matched by the statements and the COMMIT of a transaction that
// the database has rolled back by itself. The error holds the one with which it
// did.
//
// MySQL rolls back the victim of a deadlock, and SQLite a write that was
// interrupted, and both go on as if nothing had been begun: what a function that
// ignores the error sends after it would be committed, statement by statement.
// PostgreSQL refuses such statements itself.
var ErrTxUndone = errors.New("sqldb: the database has rolled back the transaction: roll back, or have the unit replayed")

// undoneError is what a statement in such a transaction gets.
type undoneError struct{ cause error }

// Error tells of the transaction and of what has undone it.
func (e *undoneError) Error() string { return ErrTxUndone.Error() + ": " + e.cause.Error() }

// Unwrap returns the sentinel and the cause.
func (e *undoneError) Unwrap() []error { return []error{ErrTxUndone, e.cause} }

// noteFailure remembers an error after which the open transaction may be gone.
func (c *conn) noteFailure(err error) {
	if c.begun == nil || c.undone != nil {
		return
	}
	if t := c.target.Load(); t != nil && (t.System == sp.PostgreSQL || t.System == sp.CockroachDB) {
		return // they refuse what comes after it
	}
	switch v := fault.Of(err, fault.Situation{InTx: true}); {
	case v.Tx == fault.TxUndone, v.Tx == fault.TxUnknown && v.Outcome == fault.OutcomeUnknown:
		c.undone = err
	}
}

// refusal returns the error of a statement that would be sent into a
// transaction that is gone, or nil.
func (c *conn) refusal(op sp.Op) error {
	if c.undone == nil || op == sp.OpRollback || op == sp.OpBegin || op == sp.OpPing {
		return nil
	}
	return &undoneError{c.undone}
}
