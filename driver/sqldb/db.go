package sqldb

import (
	"context"
	"database/sql"
	"errors"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// A DB is a handle with the methods of [sql.DB] whose calls take a connection
// from the pool for each attempt: a retry gets another connection, and
// [DB.RunInTx] can replay a transaction. It is safe for concurrent use.
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
	if c.bare {
		return nil, errors.New("sqldb: wrap: the database was opened WithDriverConns, whose statements pass through no chain")
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

// dbCall is a call of the handle.
type dbCall struct {
	sp.Call
	dbOp
}

func (db *DB) start(ctx context.Context, op sp.Op, text string, args []any) *dbCall {
	h := &dbCall{dbOp: dbOp{pipeline: db.pipeline, db: db.DB, caller: ctx, args: args}}
	attach.Reset(&h.Call, &h.dbOp)
	h.call = &h.Call
	h.Op, h.Scope, h.Text, h.Target = op, sp.ScopePool, text, db.pipeline.target.Load()
	h.Args = attach.PlainArgs(args)
	attach.Bind(ctx, &h.Call)
	return h
}

// run passes h through the chain.
func (h *dbCall) run(ctx context.Context) error {
	open, err := attach.Run(ctx, &h.Call, h.pipeline.handler)
	if !open && err == nil && !h.hasResult() {
		return errNotPerformed(h.Op)
	}
	return err
}

// hasResult reports whether there is what the operation's caller expects. There
// is not if an interceptor made a success of a failure, which only of an
// operation without a result is possible, or of one whose result may say that
// there is none.
func (h *dbCall) hasResult() bool {
	switch h.Op {
	case sp.OpQuery:
		return h.rows != nil || h.row != nil
	case sp.OpPrepare:
		return h.stmt != nil
	case sp.OpBegin:
		return h.tx != nil
	case sp.OpExec:
		if h.performed && h.result == nil {
			h.result = noResult{}
		}
	}
	return h.performed
}

// noResult is the result of a statement that failed, and of whose failure an
// interceptor made a success.
type noResult struct{}

var errNoResult = errors.New("sqldb: exec: an interceptor returned without an error although the statement failed: there is no result")

// LastInsertId returns an error.
func (noResult) LastInsertId() (int64, error) { return 0, errNoResult }

// RowsAffected returns an error.
func (noResult) RowsAffected() (int64, error) { return 0, errNoResult }

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

// QueryContext is [sql.DB.QueryContext] through the chain. The call ends when
// the rows are closed.
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

// QueryRowContext is [sql.DB.QueryRowContext] through the chain. The call ends
// with the row's Scan, which also returns its error.
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
// pass through it one by one and are never retried. For a transaction that is
// replayed as a whole use [DB.RunInTx].
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
