package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// A run of the same INSERT, UPDATE or DELETE in a transaction is folded into one
// statement whose arguments are arrays, which takes less than half of the time.
const (
	minFold    = 256    // fewer rows are not worth a savepoint, which takes a round trip to release
	minChanges = 64     // likewise, of an UPDATE or DELETE, which gains more
	foldRows   = 1024   // of one statement: arrays that are longer are slower to write
	maxFold    = 16_384 // rows on the way at once
)

// savepoint is the savepoint to which a failed folded statement rolls back.
const savepoint = "engine_fold"

// alike returns how many of the leading statements are the same one, if
// together they have enough rows to be folded, else 0.
func (c *conn) alike(qs []backend.BoundStatement) int {
	first := &qs[0]
	if c.tx == nil || c.database.config.ConnConfig.StatementCacheCapacity == 0 || !first.Data || !first.Inserts && first.Rows {
		return 0
	}
	enough := minFold
	if !first.Inserts {
		enough = minChanges
	}
	n := 1
	for n < min(len(qs), maxFold) && qs[n].Text == first.Text {
		n++
	}
	if n*len(first.Args) < enough {
		return 0
	}
	fd := c.database.folds.get(first.Text)
	if fd == nil || n*fd.rows < enough {
		return 0
	}
	return min(n, max(1, maxFold/fd.rows))
}

// foldedOf returns the folded statement for a SQL text; nil if it can't be
// folded. The first time, it asks the server for the types of the columns.
func (c *conn) foldedOf(ctx context.Context, text string) (*folded, error) {
	fd := c.database.folds.get(text)
	if fd == nil || fd.text != "" {
		return fd, nil
	}
	described, err := c.tx.Prepare(ctx, "", text)
	if err != nil {
		return nil, err
	}
	if len(described.ParamOIDs) == fd.values*fd.rows {
		fd = fd.typed(described.ParamOIDs[:fd.values])
	} else {
		fd = nil
	}
	c.database.folds.put(text, fd)
	return fd, nil
}

// fold replaces statements that are the same by one. If that is not possible,
// or the server refuses a row, they are sent one by one, which shows the row
// that is at fault.
func (c *conn) fold(ctx context.Context, qs []backend.BoundStatement, outs []backend.Result) ([]backend.Result, error) {
	first := len(outs)
	fd, err := c.foldedOf(ctx, qs[0].Text)
	if err != nil {
		return outs, &backend.BatchError{Index: first, Err: err}
	}
	if fd != nil && fd.takes(qs) {
		all, err := c.sendFolded(ctx, fd, qs)
		if err == nil {
			return append(outs, all...), nil
		}
		if lasting(err) {
			c.database.folds.put(qs[0].Text, nil)
		}
		if !refused(err) {
			return outs, &backend.BatchError{Index: first, Err: err}
		}
		if err := c.RollbackTo(ctx, savepoint); err != nil {
			return outs, &backend.BatchError{Index: first, Err: err}
		}
	}
	for rest := qs; len(rest) > 0; rest = qs[len(outs)-first:] {
		if outs, err = c.send(ctx, rest[:min(len(rest), maxBatch)], outs); err != nil {
			return outs, err
		}
	}
	return outs, nil
}

// takes reports whether all values can be elements of arrays, and no statement
// depends on another.
func (f *folded) takes(qs []backend.BoundStatement) bool {
	for _, q := range qs {
		if len(q.Args) != f.values*f.rows {
			return false
		}
		for i, v := range q.Args {
			if !fits(f.types[i%f.values], v) {
				return false
			}
		}
	}
	return f.change == nil || f.change.distinct(qs)
}

// errRows is the error of a folded statement if a trigger or a rule kept it
// from inserting every row: which rows are missing is not known.
var errRows = errors.New("the statement has not inserted all rows")

// sendFolded sends the folded statements in place of qs, within a savepoint
// that it leaves open if it fails.
func (c *conn) sendFolded(ctx context.Context, fd *folded, qs []backend.BoundStatement) ([]backend.Result, error) {
	batch := &pgx.Batch{}
	batch.Queue("SAVEPOINT " + savepoint)
	parts := slices.Collect(slices.Chunk(qs, max(1, foldRows/fd.rows)))
	for _, part := range parts {
		batch.Queue(fd.text, fd.columns(part)...)
	}
	results := c.tx.SendBatch(ctx, batch)
	outs, err := fd.outcomes(results, parts)
	if cerr := results.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return outs, c.Release(ctx, savepoint)
}

// columns returns the arguments of a folded statement.
func (f *folded) columns(qs []backend.BoundStatement) []any {
	args := make([]any, f.values)
	for i := range args {
		args[i] = &column{qs: qs, fd: f, i: i}
	}
	return args
}

// outcomes reads the answers to a savepoint and to folded statements, and
// returns the results of the statements that these replace.
func (f *folded) outcomes(results pgx.BatchResults, parts [][]backend.BoundStatement) (outs []backend.Result, err error) {
	if _, err := results.Exec(); err != nil {
		return nil, explain(err)
	}
	for _, qs := range parts {
		if f.change != nil {
			part, err := changesOf(results, len(qs))
			if err != nil {
				return nil, err
			}
			outs = append(outs, part...)
			continue
		}
		all, err := next(results, qs[0])
		if err != nil {
			return nil, err
		}
		if all.Affected != int64(len(qs)*f.rows) {
			return nil, errRows
		}
		for i := range qs {
			out := backend.Result{Affected: int64(f.rows), Columns: all.Columns}
			if all.Rows != nil {
				out.Rows = &part{all.Rows, i * f.rows, f.rows}
			}
			outs = append(outs, out)
		}
	}
	return outs, nil
}

// refused reports whether an error is the server's about the statement or its
// values, within the savepoint: the original statements may succeed, or fail
// with an error that says more. An error of preparing comes before the
// savepoint: the columns have changed, and the transaction can't go on.
func refused(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return errors.Is(err, errRows) || errors.Is(err, errMissed)
	}
	if _, early := errors.AsType[pgx.ErrPreprocessingBatch](err); early {
		return false
	}
	switch pg.Code[:2] {
	case "22", "23", "27", "42", "44", "0A", "P0": // data, integrity, triggers, syntax, CHECK OPTION, unsupported, PL/pgSQL
		return true
	}
	return false
}

// lasting reports whether a folded statement would fail again with other
// values.
func lasting(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return errors.Is(err, errRows) || ok && (pg.Code[:2] == "42" || pg.Code[:2] == "0A")
}

// part is a part of the rows of a block.
type part struct {
	all     backend.Block
	from, n int
}

// Len implements [backend.Block].
func (p *part) Len() int { return p.n }

// Scan implements [backend.Block].
func (p *part) Scan(row int, dest ...any) error { return p.all.Scan(p.from+row, dest...) }

// Values implements [backend.Block].
func (p *part) Values(row int) ([]any, error) { return p.all.Values(p.from + row) }
