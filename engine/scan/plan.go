package scan

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// Row is a row whose values can be copied: database/sql's Rows and Row, pgx's
// Rows and Row.
type Row interface {
	// Scan copies the values into what the destinations point to.
	Scan(dest ...any) error
}

// Rows are rows that are read one after the other: database/sql's, pgx's.
type Rows interface {
	Row
	// Next moves to the next row and reports whether there is one.
	Next() bool
	// Err returns the error that ended the rows, if any.
	Err() error
}

// Plan maps the columns of a result to the fields of a T. It is safe for
// concurrent use.
type Plan[T any] plan

// Type is a [Plan] for a type that is known at run time only. It is safe for
// concurrent use.
type Type plan

// plan is what plans of all types have in common.
type plan struct {
	typ     reflect.Type // T
	name    string       // of what is scanned into, for errors
	fresh   reflect.Type // the struct that a T points to, or nil
	columns []string
	slots   []slot
	links   []link
	buffers sync.Pool // of *[]any
}

// link is an embedded pointer, set to a new struct for each row.
type link struct {
	offset uintptr
	via    int // as of a slot
	typ    reflect.Type
}

// PlanFor returns the plan for reading columns of these names into values of
// type T. It is made once and cached. T may be
//
//   - a struct: see the package's documentation for its fields;
//   - a pointer to such a struct: each row gets a new one;
//   - anything else that a database's value fits into, such as int64, string,
//     [time.Time], a Scanner, a pointer to one of them, or any. It takes one
//     column, whatever its name.
//
// A map[string]any is not supported, since a row is read into it by column
// name, without a plan. An error names the column, and is a [ColumnError] if a
// column is at fault.
func PlanFor[T any](columns []string, opts ...Option) (*Plan[T], error) {
	p, err := planFor(reflect.TypeFor[T](), columns, configOf(opts))
	return (*Plan[T])(p), err
}

// PlanOf is [PlanFor] for a type that is known at run time only.
func PlanOf(t reflect.Type, columns []string, opts ...Option) (*Type, error) {
	p, err := planFor(t, columns, configOf(opts))
	return (*Type)(p), err
}

// Columns returns the names the plan was made for. The result belongs to the
// caller.
func (p *Plan[T]) Columns() []string { return slices.Clone(p.columns) }

// Targets returns the arguments of Scan that read one row into dst: pointers
// into dst, and adapters where a value has to be converted. They are written
// into buf, which grows as needed; passing the previous row's result reuses it
// and its adapters. Neither may be used for two rows at a time.
func (p *Plan[T]) Targets(dst *T, buf []any) []any {
	return (*plan)(p).targets(unsafe.Pointer(dst), buf)
}

// Scan copies the current row into dst. Errors are those of Explain.
func (p *Plan[T]) Scan(row Row, dst *T) error {
	return (*plan)(p).scan(row, unsafe.Pointer(dst))
}

// Append reads the remaining rows and returns them appended to into. If an
// error occurs, either one of Explain or the one that ended the rows, it also
// returns the rows read before. It does not close the rows.
func (p *Plan[T]) Append(rows Rows, into []T) ([]T, error) {
	buf := (*plan)(p).buffer()
	defer (*plan)(p).release(buf)
	r := (*plan)(p).reader(rows)
	r.buf = *buf
	for rows.Next() {
		var zero T
		into = append(into, zero)
		if err := r.ScanAt(unsafe.Pointer(&into[len(into)-1])); err != nil {
			return into[:len(into)-1], err
		}
		*buf = r.buf
	}
	return into, rows.Err()
}

// Explain returns an error of Scan as a [ColumnError] that names the field, if
// the error is about a value; otherwise it returns err unchanged.
func (p *Plan[T]) Explain(err error) error { return (*plan)(p).explain(err) }

// Columns is [Plan.Columns].
func (p *Type) Columns() []string { return slices.Clone(p.columns) }

// Targets is [Plan.Targets]. dst is a pointer to the plan's type; anything
// else is an error.
func (p *Type) Targets(dst any, buf []any) ([]any, error) {
	at, err := p.at(dst)
	if err != nil {
		return nil, err
	}
	return (*plan)(p).targets(at, buf), nil
}

// Scan is [Plan.Scan]. dst is a pointer to the plan's type; anything else
// is an error.
func (p *Type) Scan(row Row, dst any) error {
	at, err := p.at(dst)
	if err != nil {
		return err
	}
	return (*plan)(p).scan(row, at)
}

// Explain is [Plan.Explain].
func (p *Type) Explain(err error) error { return (*plan)(p).explain(err) }

// at returns the address in a pointer to the plan's type.
func (p *Type) at(dst any) (unsafe.Pointer, error) {
	v := reflect.ValueOf(dst)
	if !v.IsValid() || v.Kind() != reflect.Pointer || v.Type().Elem() != p.typ || v.IsNil() {
		return nil, fmt.Errorf("scan: into %T: want a *%s that is not nil", dst, p.typ)
	}
	return v.UnsafePointer(), nil
}

func (p *plan) targets(base unsafe.Pointer, buf []any) []any {
	buf = slices.Grow(buf[:0], len(p.slots))[:len(p.slots)]
	if p.fresh != nil {
		made := reflect.New(p.fresh).UnsafePointer()
		*(*unsafe.Pointer)(base) = made
		base = made
	}
	if len(p.links) > 0 {
		return p.linked(base, buf)
	}
	for i := range p.slots {
		s := &p.slots[i]
		buf[i] = s.target(unsafe.Add(base, s.offset), buf[i])
	}
	return buf
}

// linked is targets for a struct with embedded pointers. The struct that a pointer
// refers to is copied, so that two rows never share it.
func (p *plan) linked(base unsafe.Pointer, buf []any) []any {
	bases := make([]unsafe.Pointer, len(p.links)+1)
	bases[0] = base
	for i, l := range p.links {
		at := (*unsafe.Pointer)(unsafe.Add(bases[l.via], l.offset))
		made := reflect.New(l.typ)
		if *at != nil {
			made.Elem().Set(reflect.NewAt(l.typ, *at).Elem())
		}
		*at = made.UnsafePointer()
		bases[i+1] = *at
	}
	for i := range p.slots {
		s := &p.slots[i]
		buf[i] = s.target(unsafe.Add(bases[s.via], s.offset), buf[i])
	}
	return buf
}

func (p *plan) scan(row Row, at unsafe.Pointer) error {
	buf := p.buffer()
	*buf = p.targets(at, *buf)
	err := row.Scan(*buf...)
	p.release(buf)
	if err != nil {
		return p.explain(err)
	}
	return nil
}

func (p *plan) buffer() *[]any {
	if buf, ok := p.buffers.Get().(*[]any); ok {
		return buf
	}
	return new(make([]any, len(p.slots)))
}

// release keeps a buffer and its adapters, and drops what they point to.
func (p *plan) release(buf *[]any) {
	for i, target := range *buf {
		if a, ok := target.(*adapter); ok {
			a.at = nil
		} else {
			(*buf)[i] = nil
		}
	}
	p.buffers.Put(buf)
}

func (p *plan) explain(err error) error {
	if err == nil || errors.As(err, new(*ColumnError)) {
		return err
	}
	i, cause, ok := columnOf(err)
	if !ok || i < 0 || i >= len(p.slots) {
		return err
	}
	if isNull(cause) && !errors.Is(err, ErrNull) {
		err = fmt.Errorf("%w: %w", ErrNull, err)
	}
	s := &p.slots[i]
	return &ColumnError{Column: p.columns[i], Field: s.field, Type: s.typ.String(), Err: err}
}

// makePlan makes the plan of a type.
func makePlan(t reflect.Type, columns []string, c config) (*plan, error) {
	p := &plan{typ: t, name: t.String(), columns: slices.Clone(columns), slots: make([]slot, len(columns))}
	record := t
	if t.Kind() == reflect.Pointer && isRecord(t.Elem()) {
		record, p.fresh = t.Elem(), t.Elem()
	}
	switch {
	case t == mappingType:
		return nil, fmt.Errorf("scan: into %s: rows are read as mappings without a plan", t)
	case isRecord(record):
		return p, p.match(record, c)
	case len(columns) != 1:
		return nil, fmt.Errorf("scan: into %s: it takes one column, and there are %d: %s", t, len(columns), strings.Join(columns, ", "))
	}
	p.slots[0] = slot{column: columns[0], field: p.name, typ: t}
	if err := p.slots[0].shapeUp(false, c); err != nil {
		return nil, &ColumnError{Column: columns[0], Field: p.name, Err: err}
	}
	return p, nil
}
