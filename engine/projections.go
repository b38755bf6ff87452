package engine

import (
	"fmt"
	"time"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

// derive returns rows derived from those that v reads, unique if v is.
func derive[T, U any](v *Rows[T], src source, keep bool, read func(source) (U, error)) *Rows[U] {
	out := &Rows[U]{src: src, keep: keep, read: read}
	if v.distinct {
		return out.Unique()
	}
	return out
}

// Mappings returns the rows as maps from the columns' names to their
// values. A name that several columns have is an error.
func (v *Rows[T]) Mappings() *Rows[map[string]any] {
	return derive(v, v.src, true, func(s source) (map[string]any, error) { return s.row().Mapping() })
}

// Scalars returns the values of a column, counted from 0: the first if none is
// named.
func (v *Rows[T]) Scalars(column ...int) *Rows[any] {
	at := 0
	if len(column) > 0 {
		at = column[0]
	}
	return derive(v, v.src, true, func(s source) (any, error) { return s.row().At(at) })
}

// Scalar returns the first column of the next row, nil if it is NULL or there
// is no row, and closes the result.
func (v *Rows[T]) Scalar() (any, error) {
	value, _, err := v.Scalars().First()
	return value, err
}

// ScalarOne returns the first column of the only row, nil if it is NULL, and
// closes the result; see One.
func (v *Rows[T]) ScalarOne() (any, error) { return v.Scalars().One() }

// ScalarOneOrNone returns the first column of the only row, nil if it is NULL
// or there is no row, and closes the result; see OneOrNone.
func (v *Rows[T]) ScalarOneOrNone() (any, error) {
	value, _, err := v.Scalars().OneOrNone()
	return value, err
}

// Columns returns the rows with the named columns only, in that order. If no
// column, or more than one, has a name, the first read returns an error; see
// [Row.Get].
func (v *Rows[T]) Columns(names ...string) *Rows[Row] {
	all := v.src.columns()
	p := &projection{source: v.src, picked: make([]int, len(names)), cols: &columns{make([]backend.Column, len(names)), all.dialect}}
	for i, name := range names {
		at, err := all.index(name)
		if err != nil {
			p.wrong = err
			break
		}
		p.picked[i], p.cols.list[i] = at, all.list[at]
	}
	return derive(v, p, true, func(s source) (Row, error) { return s.row(), nil })
}

// projection is a source of rows with some of their columns.
type projection struct {
	source
	picked []int
	cols   *columns
	wrong  error
}

func (p *projection) columns() *columns { return p.cols }

func (p *projection) advance(bool) (bool, error) {
	if p.wrong != nil {
		return false, p.wrong
	}
	return p.source.advance(true)
}

func (p *projection) row() Row {
	row := p.source.row()
	return Row{columns: p.cols, block: projected{row.block, p.picked, row.columns}, index: row.index}
}

func (p *projection) scan(dest ...any) error { return p.row().Scan(dest...) }

// projected is a block with some of its columns.
type projected struct {
	backend.Block
	picked []int
	all    *columns
}

func (p projected) Scan(row int, dest ...any) error {
	full := make([]any, len(p.all.list))
	for i, at := range p.picked {
		if full[at] != nil { // the same column twice
			return fmt.Errorf("engine: scan: column %q was picked twice: read its value with Values", p.all.list[at].Name)
		}
		full[at] = dest[i]
	}
	return p.Block.Scan(row, full...)
}

func (p projected) Values(row int) ([]any, error) {
	full, err := p.Block.Values(row)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(p.picked))
	for i, at := range p.picked {
		out[i] = full[at]
	}
	return out, nil
}

// Unique returns the rows without those that equal an earlier one in all their
// values. Rows derived from it are unique in their own values. All distinct
// rows seen so far are kept in memory.
func (v *Rows[T]) Unique() *Rows[T] {
	out := v.unique(func(value T) (any, error) { return identity(value) })
	out.distinct = true
	return out
}

// UniqueBy returns the rows without those whose key, a comparable value, equals
// that of an earlier one.
func (v *Rows[T]) UniqueBy(key func(value T) any) *Rows[T] {
	return v.unique(func(value T) (any, error) { return key(value), nil })
}

func (v *Rows[T]) unique(key func(T) (any, error)) *Rows[T] {
	out := *v
	out.seen, out.key = map[any]struct{}{}, key
	return &out
}

// identity returns a comparable value that is equal for equal values.
func identity(value any) (any, error) {
	row, ok := value.(Row)
	if !ok {
		return fmt.Sprintf("%#v", plain(value)), nil
	}
	values, err := row.Values()
	if err != nil {
		return nil, err
	}
	for i := range values {
		values[i] = plain(values[i])
	}
	return fmt.Sprintf("%#v", values), nil
}

// plain replaces a time, which has several forms for one moment.
func plain(v any) any {
	if t, ok := v.(time.Time); ok {
		return [2]int64{t.Unix(), int64(t.Nanosecond())}
	}
	return v
}
