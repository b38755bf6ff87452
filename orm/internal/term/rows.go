package term

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Row is a table of a query, and the struct whose fields stand for its columns.
type Row struct {
	Base  unsafe.Pointer  // the struct
	Name  string          // the table's in the query, quoted
	Table *dml.Statements // the table
	outer bool            // of a query around this one
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
func (w *Writer) find(p unsafe.Pointer, t reflect.Type) (f found) {
	for i := len(w.rows) - 1; i >= 0; i-- {
		r := &w.rows[i]
		at := uintptr(p) - uintptr(r.Base)
		if uintptr(p) < uintptr(r.Base) || at >= r.Table.Table.Type.Size() {
			continue
		}
		if f.column != nil && (r.outer || f.row.outer) {
			break
		}
		if c := r.Table.Table.At(at, t); c != nil {
			f = found{r, c}
			continue
		}
		if f.column == nil {
			w.fail("%s of type %s is no column", fieldAt(r.Table.Table.Type, at, t), t)
			return f
		}
	}
	if f.column == nil {
		w.fail("%s: the query has rows of %s: %w", nameOf(p, t), w.names(), mapping.ErrUnknownField)
	}
	return f
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
func nameOf(p unsafe.Pointer, t reflect.Type) string {
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
