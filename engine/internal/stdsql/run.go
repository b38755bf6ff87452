package stdsql

import (
	"context"
	"database/sql"

	"github.com/sessionproxy/sessionproxy/engine"
)

// runner is what runs statements: a handle, a connection or a transaction.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// run runs a statement and buffers its answer.
func (p *Pool) run(ctx context.Context, r runner, q engine.Bound) (engine.Outcome, error) {
	if !q.Rows {
		res, err := r.ExecContext(ctx, q.Text, q.Args...)
		if err != nil {
			return engine.Outcome{}, err
		}
		return changed(q, res), nil
	}
	rows, err := r.QueryContext(ctx, q.Text, q.Args...)
	if err != nil {
		return engine.Outcome{}, err
	}
	return p.buffer(rows)
}

// buffer reads rows to their end.
func (p *Pool) buffer(rows *sql.Rows) (engine.Outcome, error) {
	c := &cursor{rows: rows, pool: p}
	columns := c.Columns()
	if len(columns) == 0 { // the text promised rows, the database gave none
		return engine.Outcome{Affected: -1}, c.end()
	}
	b, err := c.Fetch(0)
	if cerr := c.end(); err == nil {
		err = cerr
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	return engine.Outcome{Columns: columns, Rows: b, Affected: int64(b.Len())}, nil
}

// changed makes an outcome of a result without rows.
func changed(q engine.Bound, res sql.Result) engine.Outcome {
	out := engine.Outcome{Affected: -1}
	if n, err := res.RowsAffected(); err == nil {
		out.Affected = n
	}
	// SQLite goes on telling the key of the last INSERT.
	if q.Inserts && out.Affected != 0 {
		if id, err := res.LastInsertId(); err == nil && id != 0 {
			out.LastID, out.HasLastID = id, true
		}
	}
	return out
}

// batch runs statements in order. Those of one text that follow each other are
// prepared once.
func (p *Pool) batch(ctx context.Context, r runner, qs []engine.Bound) ([]engine.Outcome, error) {
	outs := make([]engine.Outcome, 0, len(qs))
	var stmt *sql.Stmt
	defer func() {
		if stmt != nil {
			_ = stmt.Close() // its work is done
		}
	}()
	for i, q := range qs {
		again := i > 0 && qs[i-1].Text == q.Text
		if stmt != nil && !again {
			_ = stmt.Close()
			stmt = nil
		}
		out, err := engine.Outcome{}, error(nil)
		if stmt == nil && i+1 < len(qs) && qs[i+1].Text == q.Text {
			stmt, err = r.PrepareContext(ctx, q.Text)
		}
		switch {
		case err != nil:
		case stmt != nil:
			out, err = p.run(ctx, prepared{stmt}, q)
		default:
			out, err = p.run(ctx, r, q)
		}
		if err != nil {
			return outs, &engine.BatchError{Index: i, Err: err}
		}
		outs = append(outs, out)
	}
	return outs, nil
}

// prepared runs the statement that it is, whatever the text.
type prepared struct{ stmt *sql.Stmt }

func (p prepared) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return p.stmt.ExecContext(ctx, args...)
}

func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.stmt.QueryContext(ctx, args...)
}

func (p prepared) PrepareContext(context.Context, string) (*sql.Stmt, error) { return p.stmt, nil }
