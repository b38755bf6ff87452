package term

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Row is a table of a query, and the struct whose fields stand for its columns.
type Row struct {
	Base  memory.Pointer  // the struct
	Name  string          // the table's in the query, quoted
	Table *dml.Statements // the table
	level int             // how many queries are around its own
}

// RowOf is the row of a table under its own name.
func RowOf(d *engine.Dialect, t *mapping.Table) Row {
	x := dml.For(d, t)
	return Row{Base: t.Row(), Name: x.Name, Table: x}
}

// found is a column of a row.
type found struct {
	row    *Row
	column *mapping.Column
}

// find returns the column of a field. Rows of the query itself are looked at
// before those of the queries around it, and its own before what is joined.
func (w *Writer) find(p memory.Pointer, t reflect.Type) (f found) {
	twice := false
	for i := len(w.rows) - 1; i >= 0; i-- {
		r := &w.rows[i]
		if f.row != nil && r.level < f.row.level {
			break
		}
		at := uintptr(p) - uintptr(r.Base)
		if uintptr(p) < uintptr(r.Base) || at >= r.Table.Table.Type.Size() {
			continue
		}
		twice = f.row != nil && i > 0 && w.rows[i-1].level == r.level
		f = found{r, r.Table.Table.At(at, t)}
	}
	switch {
	case f.row == nil:
		w.fail("%s: the query has rows of %s: %w", nameOf(p, t), w.names(), mapping.ErrUnknownField)
	case f.column == nil:
		w.fail("%s of type %s is no column", fieldAt(f.row.Table.Table.Type, uintptr(p)-uintptr(f.row.Base), t), t)
	case twice:
		w.fail("%s is a column of several tables of the query: join with a row of its own", fieldAt(f.row.Table.Table.Type, uintptr(p)-uintptr(f.row.Base), t))
	}
	return f
}

// Open begins a query, perhaps inside another one: its rows are looked at first.
// Where there are several tables, columns have their names. Call done where a
// query inside another one ends; the outermost one ends with [Writer.Done], after
// which the writer may be another goroutine's.
func (w *Writer) Open(rows ...Row) (done func()) {
	n, qualify, level := len(w.rows), w.qualify, 1
	if n > 0 {
		level = w.rows[n-1].level + 1
	}
	for _, r := range rows {
		r.level = level
		w.rows = append(w.rows, r)
	}
	w.qualify = len(w.rows) > 1
	return func() { w.rows, w.qualify = w.rows[:n], qualify }
}

// Columns appends all columns of a row.
func (w *Writer) Columns(r *Row) {
	if !w.qualify {
		w.Raw(r.Table.List)
		return
	}
	for i, c := range r.Table.Columns {
		if i > 0 {
			w.Raw(", ")
		}
		w.Raw(r.Name, ".", c)
	}
}

// Object is a row of a query as a whole.
type Object struct {
	Row  memory.Pointer // the struct whose fields stand for its columns
	Type reflect.Type   // its type
}

func (o *Object) write(w *Writer) {
	for i := range w.rows {
		if w.rows[i].Base == o.Row {
			w.Columns(&w.rows[i])
			return
		}
	}
	w.fail("the row of %s is none of the query, which has rows of %s", o.Type.Name(), w.names())
}

// column appends the name of a column.
func (w *Writer) column(f found) {
	if w.qualify {
		w.Raw(f.row.Name, ".")
	}
	w.Raw(f.row.Table.Columns[f.column.Index])
}

// columnOf returns the column that a node is, or nil.
func (w *Writer) columnOf(n Node) *mapping.Column {
	if c, ok := n.(*Column); ok && w.err == nil {
		return w.find(c.Field, c.Type).column
	}
	return nil
}

// names are the types of the query's rows, for messages.
func (w *Writer) names() string {
	var out []string
	for i := range w.rows {
		out = append(out, w.rows[i].Table.Table.Type.Name())
	}
	return strings.Join(out, ", ")
}

// nameOf says what a pointer that no row has points to.
func nameOf(p memory.Pointer, t reflect.Type) string {
	if p == nil {
		return fmt.Sprintf("a nil *%s is no column", t)
	}
	if table, at := mapping.RowAt(p); table != nil {
		return fieldAt(table.Type, at, t) + " is of no row of the query"
	}
	return fmt.Sprintf("a *%s that points into no row is no column", t)
}

// fieldAt names the field of a struct that is at an offset.
func fieldAt(in reflect.Type, offset uintptr, t reflect.Type) string {
	if in.Kind() != reflect.Struct || in == t {
		return in.Name()
	}
	for sf := range in.Fields() {
		if sf.Offset > offset || offset >= sf.Offset+max(sf.Type.Size(), 1) {
			continue
		}
		if sf.Type == t || sf.Type.Kind() != reflect.Struct {
			return in.Name() + "." + sf.Name
		}
		_, rest, _ := strings.Cut(fieldAt(sf.Type, offset-sf.Offset, t), ".")
		return in.Name() + "." + sf.Name + "." + rest
	}
	return in.Name()
}
