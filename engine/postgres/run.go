package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// run runs a statement and buffers its result.
func run(ctx context.Context, r speaker, q backend.BoundStatement) (backend.Result, error) {
	if !q.Rows {
		tag, err := r.Exec(ctx, q.Text, q.Args...)
		if err != nil {
			return backend.Result{}, explain(err)
		}
		return backend.Result{Affected: tag.RowsAffected()}, nil
	}
	rows, err := r.Query(ctx, q.Text, q.Args...)
	if err != nil {
		return backend.Result{}, explain(err)
	}
	return buffer(rows)
}

// buffer reads rows to their end.
func buffer(rows pgx.Rows) (backend.Result, error) {
	c, err := newCursor(rows)
	if err != nil {
		return backend.Result{}, err
	}
	b, err := c.Fetch(0)
	columns := c.Columns()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return backend.Result{}, err
	}
	out := backend.Result{Affected: rows.CommandTag().RowsAffected()}
	if len(columns) > 0 {
		out.Columns, out.Rows = columns, b
	}
	return out, nil
}

// maxBatch bounds how many statements are in transit at once.
const maxBatch = 1000

// Batch implements [backend.Conn]. pgx prepares all statements of a batch
// before it runs the first, so a statement that may change the meaning of
// others, such as CREATE TABLE, goes alone.
func (c *conn) Batch(ctx context.Context, qs []backend.BoundStatement) ([]backend.Result, error) {
	c.alone()
	outs := make([]backend.Result, 0, len(qs))
	for len(outs) < len(qs) {
		var err error
		rest := qs[len(outs):]
		if n := c.alike(rest); n > 0 {
			outs, err = c.fold(ctx, rest[:n], outs)
		} else if part := c.together(rest); len(part) > 1 {
			outs, err = c.send(ctx, part, outs)
		} else {
			outs, err = c.sendOne(ctx, part[0], outs)
		}
		if err != nil {
			return outs, err
		}
	}
	return outs, nil
}

// together returns the first statement and those after it that can be sent with
// it and are not better folded.
func (c *conn) together(qs []backend.BoundStatement) []backend.BoundStatement {
	n := 0
	for n < min(len(qs), maxBatch) && qs[n].Data && (n == 0 || qs[n].Text == qs[n-1].Text || c.alike(qs[n:]) == 0) {
		n++
	}
	return qs[:max(n, 1)]
}

// sendOne runs a statement and appends its result to outs.
func (c *conn) sendOne(ctx context.Context, q backend.BoundStatement, outs []backend.Result) ([]backend.Result, error) {
	out, err := run(ctx, c.runner(), q)
	if err != nil {
		return outs, &backend.BatchError{Index: len(outs), Err: err}
	}
	return append(outs, out), nil
}

// send sends a batch and appends its results to outs.
func (c *conn) send(ctx context.Context, qs []backend.BoundStatement, outs []backend.Result) ([]backend.Result, error) {
	batch := &pgx.Batch{}
	for _, q := range qs {
		batch.Queue(q.Text, q.Args...)
	}
	results := c.runner().SendBatch(ctx, batch)
	before := len(outs)
	for _, q := range qs {
		out, err := next(results, q)
		if err != nil {
			_ = results.Close() // says the same
			return outs, &backend.BatchError{Index: before + failed(qs, len(outs)-before, err), Err: err}
		}
		outs = append(outs, out)
	}
	return outs, results.Close()
}

// failed returns the index of the statement of a batch that an error is about:
// the one being answered, or the first whose text could not be prepared.
func failed(qs []backend.BoundStatement, answered int, err error) int {
	if early, ok := errors.AsType[pgx.ErrPreprocessingBatch](err); ok {
		return max(0, slices.IndexFunc(qs, func(q backend.BoundStatement) bool { return q.Text == early.SQL() }))
	}
	return answered
}

// next reads the answer to the next statement of a batch.
func next(results pgx.BatchResults, q backend.BoundStatement) (backend.Result, error) {
	if !q.Rows {
		tag, err := results.Exec()
		return backend.Result{Affected: tag.RowsAffected()}, explain(err)
	}
	rows, err := results.Query()
	if err != nil {
		return backend.Result{}, explain(err)
	}
	return buffer(rows)
}
