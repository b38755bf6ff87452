package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// dbOp is the operation of the handle's call, or of a fork of it.
type dbOp struct {
	pipeline *pipeline
	db       *sql.DB
	caller   context.Context // of BeginTx, for the transaction's end
	args     []any
	opts     *sql.TxOptions

	call    *sp.Call        // the handle's, or the fork of it that is performed
	failure *attach.Failure // of its next step; nil: it does not fail by design
	outcome
}

var _ attach.Forker = (*dbOp)(nil)

// outcome is what came of a handle's call.
type outcome struct {
	isRow     bool // QueryRow: what is to come of it, rather; it costs nothing here
	performed bool

	// The level of the connection writes the next five.
	reached    bool // a driver was asked to perform the call
	progress   fault.Progress
	inTx       bool // the connection may have been in a transaction
	driverRows *rows
	begun      *beginning // of a transaction

	result sql.Result
	rows   *sql.Rows
	row    *sql.Row
	stmt   *sql.Stmt
	tx     *sql.Tx
}

// Fork returns an operation that does the same on another connection.
func (h *dbOp) Fork() attach.Performer {
	return &dbOp{pipeline: h.pipeline, db: h.db, caller: h.caller, args: h.args, opts: h.opts, outcome: outcome{isRow: h.isRow}}
}

// Adopt takes over what came of a fork.
func (h *dbOp) Adopt(winner attach.Performer) { h.outcome = winner.(*dbOp).outcome }

// Do performs the call on whatever connection database/sql takes.
func (h *dbOp) Do(ctx context.Context, call *sp.Call) error {
	h.call, h.performed = call, true
	h.reached, h.progress, h.inTx = false, fault.ProgressUnknown, false
	below := attach.Context(ctx, call)
	var err error
	switch call.Op {
	case sp.OpExec:
		h.result, err = h.db.ExecContext(below, call.Text, h.args...)
	case sp.OpQuery:
		err = h.query(below, call.Text)
	case sp.OpPrepare:
		h.stmt, err = h.db.PrepareContext(below, call.Text)
	case sp.OpPing:
		err = h.db.PingContext(below)
	case sp.OpBegin:
		h.tx, err = h.db.BeginTx(below, h.opts)
	default:
		err = fmt.Errorf("sqldb: %s: %w", call.Op, errors.ErrUnsupported)
	}
	if err != nil {
		h.judge(ctx, err)
		return err
	}
	if call.Op == sp.OpExec {
		if n, rerr := h.result.RowsAffected(); rerr == nil {
			call.RowsAffected = n
		}
	}
	return nil
}

func (h *dbOp) query(ctx context.Context, text string) (err error) {
	if h.isRow {
		h.row = h.db.QueryRowContext(ctx, text, h.args...)
		return h.row.Err()
	}
	h.rows, err = h.db.QueryContext(ctx, text, h.args...) //nolint:rowserrcheck // the caller's to check
	return err
}

// judge knows more than the error tells: a call that never reached a driver
// has sent nothing.
func (h *dbOp) judge(ctx context.Context, err error) {
	progress := h.progress
	if !h.reached {
		progress = fault.ProgressUnsent
	}
	// Of a connection that may be in a transaction begun by text the error means
	// what it means inside of one; the next attempt may get another connection.
	h.call.InTx = h.inTx
	h.call.Judge(ctx, err, h.call.Op.Phase(), progress)
	h.call.InTx = false
}

// Discard closes what Do left open: the call failed after all.
func (h *dbOp) Discard() {
	switch {
	case h.rows != nil:
		_ = h.rows.Close()
	case h.row != nil:
		_ = h.row.Scan() // closes the rows, whatever it returns
	case h.tx != nil:
		// If its context is over, database/sql is rolling it back by itself, on
		// another goroutine.
		_ = h.tx.Rollback()
		<-h.begun.over
	}
	h.rows, h.row, h.tx = nil, nil, nil
}

// Finalize writes down what the rows gave.
func (h *dbOp) Finalize(err error) {
	if h.driverRows == nil {
		return
	}
	h.call.RowsReturned = h.driverRows.read
	if err != nil {
		h.call.Judge(h.driverRows.ctx, err, fault.PhaseRows, fault.ProgressAnswered)
	}
}
