package orm

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// change is what a flush does to one row.
type change struct {
	st   *state
	kind changeKind
	statement
	returning []int          // columns that the database gives back
	unread    bool           // it fills in columns that it can't give back
	sent      unsafe.Pointer // the row as it will be
	replaces  *state         // the object whose row this one takes over
}

type changeKind uint8

const (
	inserts changeKind = iota
	updates
	deletes
)

// String says what was tried, for errors.
func (k changeKind) String() string {
	return [...]string{"inserting into", "updating", "deleting from"}[k]
}

// arguments collects the arguments of a statement.
type arguments struct {
	list   []any
	arrays bool
	err    error
}

func (a *arguments) add(obj unsafe.Pointer, cols ...*mapping.Column) {
	for _, c := range cols {
		v, err := c.Value(obj, a.arrays)
		if err != nil && a.err == nil {
			a.err = err
		}
		a.list = append(a.list, v)
	}
}

// hasArrays reports whether lists are kept as arrays.
func hasArrays(d *engine.Dialect) bool { return d.NativeScan }

// newInsert plans the INSERT of a pending object.
func newInsert(d *engine.Dialect, st *state) (*change, error) {
	c := &change{st: st, kind: inserts, sent: st.table.Snapshot(st.obj)}
	args := arguments{arrays: hasArrays(d)}
	var cols []int
	auto := false
	for i, col := range st.table.Columns {
		switch {
		case col.Version && col.Int(c.sent) == 0:
			if err := col.SetInt(c.sent, 1); err != nil {
				return nil, err
			}
		case col.Auto && col.Zero(c.sent):
			auto = true
			c.returning = append(c.returning, i)
			continue
		case col.Generated || (col.Default || col.ReadOnly) && col.Zero(c.sent):
			c.returning = append(c.returning, i)
			continue
		case col.ReadOnly:
			continue
		}
		cols = append(cols, i)
		args.add(c.sent, col)
	}
	if !d.Features.InsertReturning {
		c.unread = len(c.returning) > 1 || len(c.returning) == 1 && !auto
		c.returning = nil
	}
	c.text, c.args = textsOf(d, st.table).insert(cols, c.returning), args.list
	return c, args.err
}

// newUpdate plans the UPDATE of a persistent object; nil if there is nothing
// to send.
func newUpdate(d *engine.Dialect, st *state, cols []int) (*change, error) {
	t := st.table
	cols = slices.DeleteFunc(cols, func(i int) bool {
		c := t.Columns[i]
		return c.Generated || c.ReadOnly || c.Version
	})
	if len(cols) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to do, which is no error
	}
	c := &change{st: st, kind: updates, sent: t.Snapshot(st.obj)}
	args := arguments{arrays: hasArrays(d)}
	for _, i := range cols {
		args.add(c.sent, t.Columns[i])
	}
	if v := t.Version; v != nil {
		if err := v.SetInt(c.sent, v.Int(st.snapshot)+1); err != nil {
			return nil, err
		}
		cols = append(cols, v.Index)
		args.add(c.sent, v)
	}
	for i, col := range t.Columns {
		if col.Generated {
			c.returning = append(c.returning, i)
		}
	}
	if !d.Features.UpdateReturning {
		c.unread, c.returning = len(c.returning) > 0, nil
	}
	args.row(t, st.snapshot)
	c.text, c.args = textsOf(d, t).update(cols, c.returning), args.list
	return c, args.err
}

// newDelete plans the DELETE of a persistent object.
func newDelete(d *engine.Dialect, st *state) (*change, error) {
	c := &change{st: st, kind: deletes}
	args := arguments{arrays: hasArrays(d)}
	args.row(st.table, st.snapshot)
	c.text, c.args = textsOf(d, st.table).delete(), args.list
	return c, args.err
}

// row adds what finds a row: its key and version as they were read.
func (a *arguments) row(t *mapping.Table, snapshot unsafe.Pointer) {
	a.add(snapshot, t.Key...)
	if t.Version != nil {
		a.add(snapshot, t.Version)
	}
}

// check compares what came of the change with what had to.
func (c *change) check(d *engine.Dialect, res *engine.Result) error {
	n := res.RowsAffected()
	if c.kind == inserts || n == 1 || n < 0 || c.kind == updates && !d.Features.MatchedRows {
		return nil
	}
	if c.kind == deletes && c.st.table.Version == nil {
		return nil // it is gone, which is what was wanted
	}
	return &StaleDataError{Table: c.st.table.FullName(), Key: keyOf(c.st.table, c.st.snapshot), Rows: n}
}

// failed says which change an error is about.
func (c *change) failed(err error) error {
	return fmt.Errorf("orm: flush: %s %s: %w", c.kind, c.st.table.FullName(), err)
}
