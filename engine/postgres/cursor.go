package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/assign"
	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// cursor is the open result of a pgx query.
type cursor struct {
	columns
	rows     pgx.Rows
	database *database
	pool     *pool // used up to Close; nil if a connection is
	peeked   bool  // the first row was read and not asked for yet
	more     bool  // there is a first row
	ended    bool  // the last row was read, and the connection may be at other work
	unfit    bool  // a value did not fit, which Scan has reported
	closed   bool
}

// open runs a query.
func open(ctx context.Context, r speaker, q backend.BoundStatement) (*cursor, error) {
	rows, err := r.Query(ctx, q.Text, q.Args...)
	if err != nil {
		return nil, explain(err)
	}
	return newCursor(rows)
}

// newCursor reads up to the first row, because PostgreSQL reports many errors
// only with it, and the columns are certain only then.
func newCursor(rows pgx.Rows) (*cursor, error) {
	c := &cursor{rows: rows, peeked: true}
	// The fields belong to the connection, which goes back to the pool with the
	// last row.
	if fields := rows.FieldDescriptions(); len(fields) > 0 {
		c.describe(fields)
	}
	if c.more = rows.Next(); !c.more {
		c.ended = true
		if rows.Err() != nil {
			rows.Close()
			return nil, explain(rows.Err())
		}
	}
	return c, nil
}

// Names implements [backend.Cursor].
func (c *cursor) Names() []string {
	if c.names == nil {
		c.describe(c.fields())
	}
	return c.names
}

// Columns implements [backend.Cursor].
func (c *cursor) Columns() []backend.Column {
	c.Names()
	return c.list()
}

// Next implements [backend.Cursor].
func (c *cursor) Next() bool {
	if c.peeked {
		c.peeked = false
		return c.more
	}
	if c.ended || !c.rows.Next() {
		c.ended = true
		return false
	}
	return true
}

// fields describes the columns, while the cursor has the connection.
func (c *cursor) fields() []pgconn.FieldDescription {
	if c.ended {
		return nil
	}
	return c.rows.FieldDescriptions()
}

// Scan implements [backend.Cursor].
func (c *cursor) Scan(dest ...any) error {
	for i, raw := range c.rows.RawValues() {
		if raw == nil && i < len(dest) && !holdsNull(dest[i]) {
			return assign.Failed(i, c.Names()[i], scan.ErrNull)
		}
	}
	if err := c.rows.Scan(dest...); err != nil {
		c.unfit = true // pgx closes the rows, and goes on saying why
		return hideValue(err, c.Names())
	}
	return nil
}

// hideValue replaces the value in an error of Rows.Scan by its column.
func hideValue(err error, names []string) error {
	if arg, ok := errors.AsType[pgx.ScanArgError](err); ok && arg.ColumnIndex < len(names) {
		return assign.Failed(arg.ColumnIndex, names[arg.ColumnIndex], arg.Err)
	}
	return err
}

// Fetch implements [backend.Cursor].
func (c *cursor) Fetch(n int) (backend.Block, error) {
	b := newBlock(c.fields())
	for n < 1 || b.Len() < n {
		if !c.Next() {
			return b, c.Err()
		}
		b.add(c.rows.RawValues())
	}
	return b, nil
}

// Err implements [backend.Cursor].
func (c *cursor) Err() error {
	if c.unfit {
		return nil
	}
	return c.rows.Err()
}

// Close implements [backend.Cursor].
func (c *cursor) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.rows.Close()
	if c.pool != nil {
		c.database.leave(c.pool, false)
	}
	return c.Err()
}
