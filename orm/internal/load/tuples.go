package load

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Tuples are rows of several values and objects.
type Tuples struct {
	// Statement is the statement.
	Statement engine.Statement
	// Parts are what a row consists of.
	Parts []Part
	// New makes room for a result. It is used until the next call.
	New func() memory.Pointer
	// At returns a result.
	At func(i int) memory.Pointer
	// Populate says that what was changed is overwritten.
	Populate bool
	// Loose says that the objects are not the session's.
	Loose bool

	n int
}

// Part is a value of a row, or an object.
type Part struct {
	Type   reflect.Type   // of the value
	Table  *mapping.Table // the object's, of which the value is a pointer; nil: it is no object
	Offset uintptr        // of the value in the result
}

// reading is how a part is read.
type reading struct {
	Part
	plan *scan.Type
	from int // its first column
	n    int
	buf  []any
}

// Read reads the rows. It touches no object of the session.
func (t *Tuples) Read(ctx context.Context, conn *engine.Conn) (err error) {
	cur, err := conn.Query(ctx, t.Statement)
	if err != nil {
		return fmt.Errorf("orm: select: %w", err)
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	parts, err := t.parts(conn.Dialect(), cur.Names())
	if err != nil {
		return err
	}
	for cur.Next() {
		if err := t.row(cur, parts); err != nil {
			return fmt.Errorf("orm: select: %w", err)
		}
	}
	return cur.Err()
}

func (t *Tuples) parts(d *engine.Dialect, names []string) ([]reading, error) {
	var options []scan.Option
	if !d.NativeScan {
		options = append(options, scan.WithConversions())
	}
	out, at := make([]reading, len(t.Parts)), 0
	for i, p := range t.Parts {
		r := reading{Part: p, from: at, n: 1}
		var err error
		if p.Table != nil {
			r.n = len(p.Table.Columns)
			r.plan, err = dml.ScanPlan(d, p.Table, p.Table.All())
		} else if at < len(names) {
			r.plan, err = scan.PlanOf(p.Type, names[at:at+1], options...)
		}
		if err != nil {
			return nil, err
		}
		out[i] = r
		at += r.n
	}
	if at != len(names) {
		return nil, fmt.Errorf("orm: select: %d columns, and %d are wanted: %s", len(names), at, "a Text among the expressions may have several")
	}
	return out, nil
}

// row reads a row: the values, and the keys of the objects, which are NULL where an
// outer join has found none; then the objects.
func (t *Tuples) row(cur engine.Cursor, parts []reading) error {
	at, skip := t.New(), any(new(any))
	t.n++
	dest := make([]any, len(cur.Names()))
	for i := range dest {
		dest[i] = skip
	}
	for i := range parts {
		r := &parts[i]
		if r.Table != nil {
			for _, k := range r.Table.Key {
				dest[r.from+k.Index] = new(any)
			}
			continue
		}
		var err error
		if r.buf, err = r.plan.Targets(reflect.NewAt(r.Type, memory.At(at, r.Offset)).Interface(), r.buf); err != nil {
			return err
		}
		dest[r.from] = r.buf[0]
	}
	if err := cur.Scan(dest...); err != nil {
		return err
	}
	for i := range parts {
		if r := &parts[i]; r.Table != nil && !r.missing(dest) {
			if err := r.object(cur, dest, skip, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing reports whether the key that was read is NULL.
func (r *reading) missing(dest []any) bool {
	for _, k := range r.Table.Key {
		if *dest[r.from+k.Index].(*any) == nil {
			return true
		}
	}
	return false
}

// object reads an object, and puts it into the result.
func (r *reading) object(cur engine.Cursor, dest []any, skip any, at memory.Pointer) (err error) {
	row := r.Table.New()
	if r.buf, err = r.plan.Targets(r.Table.Object(row), r.buf); err != nil {
		return err
	}
	all := make([]any, len(dest))
	for i := range all {
		all[i] = skip
	}
	copy(all[r.from:], r.buf)
	*(*memory.Pointer)(memory.At(at, r.Offset)) = row
	return cur.Scan(all...)
}

// Finish puts the session's objects into results that were read. of returns the
// loader of a table.
func (t *Tuples) Finish(ctx context.Context, of func(*mapping.Table) *Loader) error {
	for _, p := range t.Parts {
		if p.Table == nil {
			continue
		}
		l := of(p.Table)
		rows := Rows{Table: p.Table, Populate: t.Populate, Loose: t.Loose}
		for i := range t.n {
			at := (*memory.Pointer)(memory.At(t.At(i), p.Offset))
			if *at == nil {
				continue
			}
			st, err := l.object(ctx, &rows, *at, p.Table.Columns)
			if err != nil {
				return err
			}
			*at = st.Object
		}
	}
	return nil
}
