package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy/engine"
)

// run runs a statement and buffers its answer.
func run(ctx context.Context, r runner, q engine.Bound) (engine.Outcome, error) {
	if !q.Rows {
		tag, err := r.Exec(ctx, q.Text, q.Args...)
		if err != nil {
			return engine.Outcome{}, err
		}
		return engine.Outcome{Affected: tag.RowsAffected()}, nil
	}
	rows, err := r.Query(ctx, q.Text, q.Args...)
	if err != nil {
		return engine.Outcome{}, err
	}
	return buffer(rows)
}

// buffer reads rows to their end.
func buffer(rows pgx.Rows) (engine.Outcome, error) {
	c, err := newCursor(rows)
	if err != nil {
		return engine.Outcome{}, err
	}
	b, err := c.Fetch(0)
	columns := c.Columns()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	out := engine.Outcome{Affected: rows.CommandTag().RowsAffected()}
	if len(columns) > 0 {
		out.Columns, out.Rows = columns, b
	}
	return out, nil
}

// maxBatch bounds how many statements are on the way at once.
const maxBatch = 1000

// Batch implements [engine.BackendConn].
func (c *conn) Batch(ctx context.Context, qs []engine.Bound) ([]engine.Outcome, error) {
	outs := make([]engine.Outcome, 0, len(qs))
	for part := range slices.Chunk(qs, maxBatch) {
		var err error
		if outs, err = c.send(ctx, part, outs); err != nil {
			return outs, err
		}
	}
	return outs, nil
}

// send sends a batch and appends its outcomes to outs.
func (c *conn) send(ctx context.Context, qs []engine.Bound, outs []engine.Outcome) ([]engine.Outcome, error) {
	batch := &pgx.Batch{}
	for _, q := range qs {
		batch.Queue(q.Text, q.Args...)
	}
	results := c.runner().SendBatch(ctx, batch)
	for _, q := range qs {
		out, err := next(results, q)
		if err != nil {
			_ = results.Close() // says the same
			return outs, &engine.BatchError{Index: len(outs), Err: err}
		}
		outs = append(outs, out)
	}
	return outs, results.Close()
}

// next reads the answer to the next statement of a batch.
func next(results pgx.BatchResults, q engine.Bound) (engine.Outcome, error) {
	if !q.Rows {
		tag, err := results.Exec()
		return engine.Outcome{Affected: tag.RowsAffected()}, err
	}
	rows, err := results.Query()
	if err != nil {
		return engine.Outcome{}, err
	}
	return buffer(rows)
}
