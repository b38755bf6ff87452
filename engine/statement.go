package engine

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// A Statement is anything that can be written in a database's SQL: a [Text], a
// query of package orm, or a query builder's output, by [From].
type Statement interface {
	// Render returns the statement in the dialect's syntax, with its arguments
	// in the order of its placeholders. It is safe for concurrent use.
	Render(d *Dialect) (text string, args []any, err error)
}

// An Executor runs statements: an [Engine], each in a transaction of its own;
// a [Conn] or a [Tx], in the transaction that is open on the connection.
type Executor interface {
	// Execute runs a statement and buffers its result.
	Execute(ctx context.Context, st Statement) (*Result, error)
	// ExecuteMany runs a statement once for each set of arguments, sent as one
	// batch if the database supports it. The result counts the rows affected by
	// all of them, and has the rows that all of them returned, in order. Either
	// all of it is done or nothing, unless the connection is in autocommit
	// mode.
	ExecuteMany(ctx context.Context, st *TextStatement, sets ...[]any) (*Result, error)
	// ExecuteBatch runs statements in order, sent as one batch if the database
	// supports it, and returns a result for each. If one fails, the error wraps
	// a [BatchError], and the results of the statements before it are returned.
	ExecuteBatch(ctx context.Context, sts ...Statement) ([]*Result, error)
	// Stream runs a statement and holds one window of its rows in memory.
	Stream(ctx context.Context, st Statement, opts ...StreamOption) (*Stream, error)
	// Query runs a statement and leaves its result open as the driver returns
	// it. Closing the cursor early may mean reading the rest of the result: see
	// Stream.
	Query(ctx context.Context, st Statement) (Cursor, error)
	// Dialect describes the database.
	Dialect() *Dialect
}

// bind renders a statement and finds out what it does.
func bind(d *Dialect, st Statement) (backend.BoundStatement, error) { return bindAfter(d, st, nil) }

// bindAll binds statements. If one can't be rendered, the error is a
// [BatchError].
func bindAll(d *Dialect, sts []Statement) ([]backend.BoundStatement, error) {
	qs := make([]backend.BoundStatement, len(sts))
	var before *backend.BoundStatement
	for i, st := range sts {
		q, err := bindAfter(d, st, before)
		if err != nil {
			return nil, &BatchError{Index: i, Err: err}
		}
		qs[i] = q
		before = &qs[i]
	}
	return qs, nil
}

// bindAfter is bind for a statement that follows another one, or nil.
// Statements with the same SQL text do the same: this saves reading again a
// text too long to be cached, such as an INSERT of many rows.
func bindAfter(d *Dialect, st Statement, before *backend.BoundStatement) (backend.BoundStatement, error) {
	if st == nil {
		return backend.BoundStatement{}, fmt.Errorf("engine: render: the statement is nil")
	}
	text, args, err := st.Render(d)
	if err != nil {
		return backend.BoundStatement{}, fmt.Errorf("engine: render: %w", err)
	}
	if before != nil && before.Text == text {
		q := *before
		q.Args = args
		return q, nil
	}
	v := verbOf(sqltext.DialectOf(string(d.System)), text)
	return backend.BoundStatement{Text: text, Args: args, Rows: v.rows, ReadOnly: v.readOnly, Cursor: v.cursor, Inserts: v.inserts, Data: v.data, EndsTx: v.endsTx}, nil
}
