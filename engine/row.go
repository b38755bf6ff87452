package engine

import (
	"fmt"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// columns are the columns of a result.
type columns struct {
	list    []backend.Column
	dialect *Dialect
}

func (c *columns) keys() []string {
	keys := make([]string, len(c.list))
	for i, col := range c.list {
		keys[i] = col.Name
	}
	return keys
}

// index finds a column by its name, exactly or, if there is none, without
// regard to case.
func (c *columns) index(name string) (int, error) {
	at, found := c.find(func(s string) bool { return s == name })
	if found == 0 {
		at, found = c.find(func(s string) bool { return strings.EqualFold(s, name) })
	}
	switch found {
	case 0:
		return 0, fmt.Errorf("%w: %q; it has %s", ErrUnknownColumn, name, strings.Join(c.keys(), ", "))
	case 1:
		return at, nil
	}
	return 0, fmt.Errorf("%w: %q", ErrAmbiguousColumn, name)
}

// find returns the first column whose name fits, and how many there are.
func (c *columns) find(fits func(name string) bool) (at, found int) {
	for i, col := range c.list {
		if !fits(col.Name) {
			continue
		}
		if found == 0 {
			at = i
		}
		found++
	}
	return at, found
}

// A Row is one row of a result. The zero Row has no columns. A Row is
// immutable, outlives the result it came from, and is safe for concurrent use.
type Row struct {
	columns *columns
	block   backend.Block
	index   int
}

// Len returns the number of columns.
func (r Row) Len() int {
	if r.columns == nil {
		return 0
	}
	return len(r.columns.list)
}

// Keys returns the names of the columns.
func (r Row) Keys() []string {
	if r.columns == nil {
		return nil
	}
	return r.columns.keys()
}

// Scan copies the values into what dest points to, one per column, with the
// conversions of [database/sql.Rows.Scan] and those of the database's driver.
// NULL can be read into a pointer, a [database/sql.Null] or another Scanner, or
// an any; elsewhere it is an error.
func (r Row) Scan(dest ...any) error {
	if len(dest) != r.Len() {
		return fmt.Errorf("engine: scan: %d destinations for %d columns", len(dest), r.Len())
	}
	if len(dest) == 0 {
		return nil
	}
	return describe("scan", r.block.Scan(r.index, dest...))
}

// Values returns the values: nil, int64, uint64 above its range, float64,
// bool, string, []byte, [time.Time], or a type of the dialect's own.
func (r Row) Values() ([]any, error) {
	if r.columns == nil {
		return nil, nil
	}
	values, err := r.block.Values(r.index)
	return values, describe("read row", err)
}

// At returns the value of column i, counted from 0.
func (r Row) At(i int) (any, error) {
	if i < 0 || i >= r.Len() {
		return nil, fmt.Errorf("engine: read row: there is no column %d of %d", i, r.Len())
	}
	values, err := r.Values()
	if err != nil {
		return nil, err
	}
	return values[i], nil
}

// Get returns the value of the column of that name, or else of the only column
// whose name differs just in case. If there is none, the error matches
// [ErrUnknownColumn]; if there are several, [ErrAmbiguousColumn].
func (r Row) Get(name string) (any, error) {
	if r.columns == nil {
		return nil, fmt.Errorf("%w: %q; the row is empty", ErrUnknownColumn, name)
	}
	i, err := r.columns.index(name)
	if err != nil {
		return nil, err
	}
	return r.At(i)
}

// Mapping returns the values by the names of their columns. A name that
// several columns have is an error that matches [ErrAmbiguousColumn].
func (r Row) Mapping() (map[string]any, error) {
	values, err := r.Values()
	if err != nil {
		return nil, err
	}
	m := make(map[string]any, len(values))
	for i, v := range values {
		name := r.columns.list[i].Name
		if _, taken := m[name]; taken {
			return nil, fmt.Errorf("%w: %q", ErrAmbiguousColumn, name)
		}
		m[name] = v
	}
	return m, nil
}
