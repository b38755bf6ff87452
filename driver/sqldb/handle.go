package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// A DB is a handle with the methods of [sql.DB] whose calls take a connection
// from the pool each time they are performed: a retry gets another connection,
// and [DB.RunInTx] can perform a transaction again. It is safe for concurrent
// use.
//
// The methods that this type does not declare are those of the *sql.DB inside.
// Statements prepared here, transactions and connections are plain
// database/sql values, whose operations pass through the chain at the level
// of their connection.
type DB struct {
	*sql.DB
	pipeline *pipeline
}

// Wrap returns a handle on db, which has to come from [Open] or [OpenDB];
// any other is an error. Closing the handle closes db.
func Wrap(db *sql.DB) (*DB, error) {
	if db == nil {
		return nil, errors.New("sqldb: wrap: the database is nil")
	}
	c, ok := connectorOf(db)
	if !ok {
		return nil, errors.New("sqldb: wrap: the database was not opened by sqldb.Open or sqldb.OpenDB")
	}
	return &DB{DB: db, pipeline: c.pipeline}, nil
}

// Target returns the database this handle goes to.
func (db *DB) Target() sp.Target {
	if t := db.pipeline.target.Load(); t != nil {
		return *t
	}
	return sp.Target{System: sp.OtherSQL}
}

// handleCall is a call of the handle.
type handleCall struct {
	sp.Call
	pipeline *pipeline
	db       *sql.DB
	caller   context.Context //nolint:containedctx // of BeginTx, for the transaction's end
	args     []any
	opts     *sql.TxOptions
	isRow    bool // QueryRow

	performed bool

	// What came of it. The level of the connection writes the next three.
	reached    bool // a driver was asked to perform the call
	progress   fault.Progress
	driverRows *rows

	result sql.Result
	rows   *sql.Rows
	row    *sql.Row
	stmt   *sql.Stmt
	tx     *sql.Tx
}

func (db *DB) start(ctx context.Context, op sp.Op, text string, args []any) *handleCall {
	h := &handleCall{pipeline: db.pipeline, db: db.DB, caller: ctx, args: args}
	h.Reset(h)
	h.Op, h.Scope, h.Text, h.Target = op, sp.ScopePool, text, db.pipeline.target.Load()
	h.Args = sp.PlainArgs(args)
	h.Bind(ctx)
	return h
}

// run passes h through the chain.
func (h *handleCall) run(ctx context.Context) error {
	open, err := h.Run(ctx, h.pipeline.handler)
	if !open && err == nil && !h.performed {
		return errNotPerformed(h.Op)
	}
	return err
}

// Do performs the call on whatever connection database/sql takes.
func (h *handleCall) Do(ctx context.Context, _ *sp.Call) error {
	h.performed = true
	h.reached, h.progress = false, fault.ProgressUnknown
	below := sp.ContextWithCall(ctx, &h.Call)
	var err error
	switch h.Op {
	case sp.OpExec:
		h.result, err = h.db.ExecContext(below, h.Text, h.args...)
	case sp.OpQuery:
		err = h.query(below)
	case sp.OpPrepare:
		h.stmt, err = h.db.PrepareContext(below, h.Text)
	case sp.OpPing:
		err = h.db.PingContext(below)
	case sp.OpBegin:
		h.tx, err = h.db.BeginTx(below, h.opts)
	default:
		err = fmt.Errorf("sqldb: %s: %w", h.Op, errors.ErrUnsupported)
	}
	if err != nil {
		h.judge(ctx, err)
		return err
	}
	if h.Op == sp.OpExec {
		if n, rerr := h.result.RowsAffected(); rerr == nil {
			h.RowsAffected = n
		}
	}
	return nil
}

func (h *handleCall) query(ctx context.Context) (err error) {
	if h.isRow {
		h.row = h.db.QueryRowContext(ctx, h.Text, h.args...)
		return h.row.Err()
	}
	h.rows, err = h.db.QueryContext(ctx, h.Text, h.args...) //nolint:rowserrcheck // the caller's to check
	return err
}

// judge knows more than the error tells: a call that never reached a driver
// has sent nothing.
func (h *handleCall) judge(ctx context.Context, err error) {
	phase, progress := h.Op.Phase(), h.progress
	if !h.reached {
		progress = fault.ProgressUnsent
	}
	h.Judge(ctx, err, phase, progress)
}

// Discard closes what Do left open: the call failed after all.
func (h *handleCall) Discard() {
	switch {
	case h.rows != nil:
		_ = h.rows.Close()
	case h.row != nil:
		_ = h.row.Scan() // closes the rows, whatever it returns
	case h.tx != nil:
		_ = h.tx.Rollback()
	}
	h.rows, h.row, h.tx = nil, nil, nil
}

// Settle writes down what the rows gave.
func (h *handleCall) Settle(err error) {
	if h.driverRows == nil {
		return
	}
	h.RowsReturned = h.driverRows.read
	if err != nil {
		h.Judge(h.driverRows.ctx, err, fault.PhaseRows, fault.ProgressAnswered)
	}
}

// ExecContext is [sql.DB.ExecContext] through the chain.
func (db *DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if db.pipeline.empty || db.pipeline.passes(ctx, sp.OpExec) {
		return db.DB.ExecContext(ctx, query, args...)
	}
	h := db.start(ctx, sp.OpExec, query, args)
	if err := h.run(ctx); err != nil {
		return nil, err
	}
	return h.result, nil
}

// QueryContext is [sql.DB.QueryContext] through the chain. The call is
// finished when the rows are closed.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if db.pipeline.empty || db.pipeline.passes(ctx, sp.OpQuery) {
		return db.DB.QueryContext(ctx, query, args...)
	}
	h := db.start(ctx, sp.OpQuery, query, args)
	if err := h.run(ctx); err != nil {
		return nil, err
	}
	return h.rows, nil
}

// QueryRowContext is [sql.DB.QueryRowContext] through the chain. The call is
// finished by the row's Scan, which also reports its error.
func (db *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if db.pipeline.empty || db.pipeline.passes(ctx, sp.OpQuery) {
		return db.DB.QueryRowContext(ctx, query, args...)
	}
	h := db.start(ctx, sp.OpQuery, query, args)
	h.isRow = true
	if err := h.run(ctx); err != nil {
		return failedRow(err)
	}
	return h.row
}

// PrepareContext is [sql.DB.PrepareContext] through the chain.
func (db *DB) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if db.pipeline.empty {
		return db.DB.PrepareContext(ctx, query)
	}
	h := db.start(ctx, sp.OpPrepare, query, nil)
	if err := h.run(ctx); err != nil {
		return nil, err
	}
	return h.stmt, nil
}

// PingContext is [sql.DB.PingContext] through the chain.
func (db *DB) PingContext(ctx context.Context) error {
	if db.pipeline.empty {
		return db.DB.PingContext(ctx)
	}
	return db.start(ctx, sp.OpPing, "", nil).run(ctx)
}

// BeginTx is [sql.DB.BeginTx] through the chain. The transaction's statements
// pass through it one by one; nothing repeats them. To have a transaction
// repeated as a whole use [DB.RunInTx].
func (db *DB) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if db.pipeline.empty {
		return db.DB.BeginTx(ctx, opts)
	}
	h := db.start(ctx, sp.OpBegin, "", nil)
	h.opts = opts
	if err := h.run(ctx); err != nil {
		return nil, err
	}
	return h.tx, nil
}

// Exec is ExecContext with the background context.
func (db *DB) Exec(query string, args ...any) (sql.Result, error) {
	return db.ExecContext(context.Background(), query, args...)
}

// Query is QueryContext with the background context.
func (db *DB) Query(query string, args ...any) (*sql.Rows, error) {
	return db.QueryContext(context.Background(), query, args...)
}

// QueryRow is QueryRowContext with the background context.
func (db *DB) QueryRow(query string, args ...any) *sql.Row {
	return db.QueryRowContext(context.Background(), query, args...)
}

// Prepare is PrepareContext with the background context.
func (db *DB) Prepare(query string) (*sql.Stmt, error) {
	return db.PrepareContext(context.Background(), query)
}

// Ping is PingContext with the background context.
func (db *DB) Ping() error { return db.PingContext(context.Background()) }

// Begin is BeginTx with the background context and default options.
func (db *DB) Begin() (*sql.Tx, error) { return db.BeginTx(context.Background(), nil) }
