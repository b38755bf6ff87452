package sqlbackend

import (
	"context"
	"database/sql"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// runner is what runs statements: a handle, a connection or a transaction.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// run runs a statement and buffers its answer.
func (p *Pool) run(ctx context.Context, r runner, q backend.BoundStatement) (backend.Result, error) {
	if !q.Rows {
		res, err := r.ExecContext(ctx, q.Text, q.Args...)
		if err != nil {
			return backend.Result{}, err
		}
		return changed(q, res), nil
	}
	rows, err := r.QueryContext(ctx, q.Text, q.Args...)
	if err != nil {
		return backend.Result{}, err
	}
	return p.buffer(rows)
}

// buffer reads rows to their end.
func (p *Pool) buffer(rows *sql.Rows) (backend.Result, error) {
	c := &cursor{rows: rows, pool: p}
	columns := c.Columns()
	if len(columns) == 0 { // the text promised rows, the database gave none
		return backend.Result{Affected: -1}, c.end()
	}
	b, err := c.Fetch(0)
	if cerr := c.end(); err == nil {
		err = cerr
	}
	if err != nil {
		return backend.Result{}, err
	}
	return backend.Result{Columns: columns, Rows: b, Affected: int64(b.Len())}, nil
}

// changed makes an outcome of a result without rows.
func changed(q backend.BoundStatement, res sql.Result) backend.Result {
	out := backend.Result{Affected: -1}
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

// batch runs statements in order, one after the other: these databases take no
// more than one at a time.
func (p *Pool) batch(ctx context.Context, r runner, qs []backend.BoundStatement) ([]backend.Result, error) {
	outs := make([]backend.Result, 0, len(qs))
	for i, q := range qs {
		out, err := p.run(ctx, r, q)
		if err != nil {
			return outs, &backend.BatchError{Index: i, Err: err}
		}
		outs = append(outs, out)
	}
	return outs, nil
}
