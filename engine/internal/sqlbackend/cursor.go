package sqlbackend

import (
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/assign"
)

// cursor is an answer of database/sql.
type cursor struct {
	rows    *sql.Rows
	pool    *Pool
	names   []string
	columns []backend.Column
	handle  *handle // used up to Close; nil if a connection is
	guards  guards
	closed  bool
}

// Names implements [backend.Cursor].
func (c *cursor) Names() []string {
	if c.names == nil {
		c.names, _ = c.rows.Columns() // fails if the rows are closed: Err says why
	}
	return c.names
}

// Columns implements [backend.Cursor].
func (c *cursor) Columns() []backend.Column {
	if c.columns != nil {
		return c.columns
	}
	types, err := c.rows.ColumnTypes()
	if err != nil {
		return nil // as above
	}
	c.columns = make([]backend.Column, len(types))
	for i, t := range types {
		c.columns[i] = backend.Column{Name: t.Name(), Type: t.DatabaseTypeName()}
	}
	return c.columns
}

// Next implements [backend.Cursor].
func (c *cursor) Next() bool { return c.rows.Next() }

// Scan implements [backend.Cursor].
func (c *cursor) Scan(dest ...any) error {
	err := c.rows.Scan(c.guards.around(dest)...)
	c.guards.raise()
	if err != nil {
		return hideValue(err, c.Names())
	}
	return nil
}

// hideValue gives an error of Rows.Scan its column in place of the value.
func hideValue(err error, names []string) error {
	rest, ok := strings.CutPrefix(err.Error(), "sql: Scan error on column index ")
	digits, _, _ := strings.Cut(rest, ",")
	i, aerr := strconv.Atoi(digits)
	cause := errors.Unwrap(err)
	if !ok || aerr != nil || i < 0 || i >= len(names) || cause == nil {
		return err
	}
	return assign.Failed(i, names[i], cause)
}

// Err implements [backend.Cursor].
func (c *cursor) Err() error { return c.rows.Err() }

// Close implements [backend.Cursor].
func (c *cursor) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	err := c.rows.Close()
	if c.handle != nil {
		c.pool.leave(c.handle, false)
	}
	return err
}

// end closes the rows after their last one and returns what ended them.
func (c *cursor) end() error {
	err := c.rows.Err()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return err
}

// slab is how many rows share one allocation of values.
const slab = 64

// Fetch implements [backend.Cursor].
func (c *cursor) Fetch(n int) (backend.Block, error) {
	columns := c.Columns()
	b := &block{columns: columns, normalize: c.pool.cfg.Normalize}
	dest := make([]any, len(columns))
	var free []any
	for n < 1 || len(b.rows) < n {
		if !c.rows.Next() {
			return b, c.rows.Err()
		}
		if len(free) == 0 {
			free = make([]any, len(columns)*min(slab, 1+len(b.rows)))
		}
		row := free[:len(columns):len(columns)]
		free = free[len(columns):]
		for i := range row {
			dest[i] = &row[i]
		}
		if err := c.rows.Scan(dest...); err != nil {
			return b, err
		}
		b.rows = append(b.rows, row)
	}
	return b, nil
}

// block are rows in memory, as the driver gave their values.
type block struct {
	columns   []backend.Column
	rows      [][]any
	normalize func(string, any) any
}

// Len implements [backend.Block].
func (b *block) Len() int { return len(b.rows) }

// Scan implements [backend.Block].
func (b *block) Scan(row int, dest ...any) error {
	for i, v := range b.rows[row] {
		if err := assign.Value(dest[i], v); err != nil {
			return assign.Failed(i, b.columns[i].Name, err)
		}
	}
	return nil
}

// Values implements [backend.Block].
func (b *block) Values(row int) ([]any, error) {
	values := append([]any(nil), b.rows[row]...)
	if b.normalize != nil {
		for i, v := range values {
			values[i] = b.normalize(b.columns[i].Type, v)
		}
	}
	return values, nil
}
