package sqldb

import (
	"database/sql/driver"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// txState is what is known of a transaction on a connection that was not begun
// through BeginTx.
type txState uint8

const (
	txNone   txState = iota // none is open
	txOpen                  // one is open
	txUnsure                // one may be open
)

// txWatch watches for transactions that are begun and ended by statements, so
// that nothing inside one is retried alone. It goes by what the driver or the
// server says, and by texts only as far as their effect is known; whatever may
// have begun a transaction makes it unsure until the connection is handed out
// again, when the server is asked; see resolveTx.
//
// A transaction that is left open stays with its connection in the pool, as
// database/sql has it.
type txWatch struct {
	dialect  sqltext.Dialect
	state    txState
	settings bool         // the server may begin transactions by itself
	byItself bool         // it did so when the session began, as every session will
	ask      bool         // find out when the connection is handed out
	reporter autoCommiter // the driver, if it can tell; nil otherwise

	// neutral is a text whose effect is [sqltext.TxNeutral]: programs send the
	// same few texts again and again.
	neutral string
}

// autoCommiter is a connection of mattn/go-sqlite3, which knows.
type autoCommiter interface {
	// AutoCommit reports that no transaction is open.
	AutoCommit() bool
}

// watch returns the watch of a new connection.
func watch(d sqltext.Dialect, raw driver.Conn) txWatch {
	w := txWatch{dialect: d, neutral: "SELECT 1"} // an empty text is not known to be
	w.reporter, _ = innermost(raw).(autoCommiter)
	return w
}

// innermost returns the driver's own connection inside of one that a connector
// has wrapped, as those of package engine do.
func innermost(raw driver.Conn) driver.Conn {
	if w, ok := raw.(interface{ Raw() driver.Conn }); ok {
		return w.Raw()
	}
	return raw
}

// inTx reports whether a transaction may be open.
func (w *txWatch) inTx() bool { return w.state != txNone }

// maxNeutral is the length of texts, in bytes, that a connection keeps.
const maxNeutral = 1 << 12

// effect returns what a text does to the connection's transaction.
func (w *txWatch) effect(text string) sqltext.TxEffect { return sqltext.TxEffectOf(w.dialect, text) }

// performed takes note of a text that was performed, or failed with err.
func (w *txWatch) performed(text string, err error) {
	if text != w.neutral {
		w.performedOther(text, err)
	}
}

func (w *txWatch) performedOther(text string, err error) {
	e := w.effect(text)
	if e == sqltext.TxNeutral && len(text) <= maxNeutral {
		w.neutral = text
	}
	w.passed(e, err)
}

// passed takes note of a statement that was performed, or failed with err.
func (w *txWatch) passed(e sqltext.TxEffect, err error) {
	if e != sqltext.TxNeutral {
		w.turn(e, err)
	}
}

func (w *txWatch) turn(e sqltext.TxEffect, err error) {
	w.settings = w.settings || e == sqltext.TxUnknown
	switch {
	case w.reported():
	case err == nil && e == sqltext.TxBegins:
		w.state = txOpen
	case err == nil && e == sqltext.TxEnds && !w.settings:
		w.is(txNone)
	default:
		w.state, w.ask = txUnsure, true
	}
}

// ended takes note of the end of a transaction that was begun through BeginTx.
// Transactions and savepoints by text have ended with it.
func (w *txWatch) ended(err error) {
	over := err == nil || fault.Of(err, fault.Situation{Phase: fault.PhaseCommit, InTx: true}).Tx == fault.TxUndone
	switch {
	case w.reported():
	case over && !w.settings:
		w.is(txNone)
	default:
		w.state, w.ask = txUnsure, true
	}
}

// doubt says that nothing is known any more, not even how the server begins
// transactions.
func (w *txWatch) doubt() { w.state, w.settings, w.ask = txUnsure, true, true }

// is sets a state that there is no doubt of.
func (w *txWatch) is(s txState) { w.state, w.settings, w.ask = s, false, false }

// reported sets the state by what the driver says, if it can tell.
func (w *txWatch) reported() bool {
	switch {
	case w.reporter == nil:
		return false
	case w.reporter.AutoCommit():
		w.is(txNone)
	default:
		w.is(txOpen)
	}
	return true
}
