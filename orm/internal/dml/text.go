// Package dml writes the statements that read and change rows of a table, in the
// syntax of a dialect, and takes their arguments from objects.
package dml

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Shape is what statements have in common that write the same columns of a
// table.
type Shape struct {
	Cols      []int  // those that are written
	Defaults  []int  // of an UPDATE: those that get the database's own value
	Returning []int  // those that the database gives back
	Text      string // the statement for one row
}

// Bound is SQL text in a dialect's own syntax with its arguments.
type Bound struct {
	Text string // the text
	Args []any  // the arguments, in the order of their placeholders
}

// Render implements [engine.Statement].
func (s *Bound) Render(*engine.Dialect) (text string, args []any, err error) {
	return s.Text, s.Args, nil
}

// Statements keeps the SQL of a table in a dialect: made once for each set of
// columns.
type Statements struct {
	dialect *engine.Dialect
	Table   *mapping.Table // whose SQL it is
	Name    string         // the table's, quoted
	Columns []string       // the columns', quoted
	List    string         // all of them

	byKey string                    // SELECT of one row
	whole atomic.Pointer[scan.Type] // how rows of all columns are read

	mu     sync.Mutex
	made   map[string]string
	shapes map[string]*Shape
}

// statementsKey finds the texts of a table. Dialects are few and live as long as
// their engines; what is kept for one is bounded by the sets of columns that
// a program writes.
type statementsKey struct {
	dialect *engine.Dialect
	table   *mapping.Table
}

var allStatements sync.Map // of *texts

// For returns the SQL of a table in a dialect.
func For(d *engine.Dialect, t *mapping.Table) *Statements {
	if x, ok := allStatements.Load(statementsKey{d, t}); ok {
		return x.(*Statements)
	}
	x := &Statements{dialect: d, Table: t, Name: d.QuoteName(t.Name), made: map[string]string{}, shapes: map[string]*Shape{}}
	if t.Schema != "" {
		x.Name = d.QuoteName(t.Schema) + "." + x.Name
	}
	for _, c := range t.Columns {
		x.Columns = append(x.Columns, d.QuoteName(c.Name))
	}
	x.List = strings.Join(x.Columns, ", ")
	x.byKey = x.selectByKey("")
	known, _ := allStatements.LoadOrStore(statementsKey{d, t}, x)
	return known.(*Statements)
}

// of returns the text of a kind of statement for a set of columns, making it if
// it is the first of them.
func (x *Statements) of(kind byte, cols []int, extra string, write func(b *builder)) string {
	key := string(kind) + indices(cols) + extra
	x.mu.Lock()
	defer x.mu.Unlock()
	if text, ok := x.made[key]; ok {
		return text
	}
	b := &builder{Statements: x}
	write(b)
	text := string(b.buf)
	x.made[key] = text
	return text
}

func itoa(n int) string { return strconv.Itoa(n) }

func indices(cols []int) string {
	out := make([]byte, 0, 2*len(cols))
	for _, c := range cols {
		out = append(out, byte(c>>8), byte(c))
	}
	return string(out)
}

// builder writes SQL.
type builder struct {
	*Statements
	buf []byte
	n   int // parameters so far
}

func (b *builder) write(s string) { b.buf = append(b.buf, s...) }

func (b *builder) param() {
	b.n++
	b.buf = b.dialect.AppendPlaceholder(b.buf, b.n)
}

// params writes n parameters separated by commas.
func (b *builder) params(n int) {
	for i := range n {
		if i > 0 {
			b.write(", ")
		}
		b.param()
	}
}

// names writes the columns separated by commas.
func (b *builder) names(cols []int) {
	for i, c := range cols {
		if i > 0 {
			b.write(", ")
		}
		b.write(b.Columns[c])
	}
}

// assignments writes UPDATE with parameters for these columns.
func (b *builder) assignments(cols []int) {
	b.write("UPDATE " + b.Name + " SET ")
	for i, c := range cols {
		if i > 0 {
			b.write(", ")
		}
		b.write(b.Columns[c] + " = ")
		b.param()
	}
}

// where writes the condition for a row by its key and, if wanted, version.
func (b *builder) where(version bool) {
	b.write(" WHERE ")
	for i, c := range b.Table.Key {
		if i > 0 {
			b.write(" AND ")
		}
		b.write(b.Columns[c.Index] + " = ")
		b.param()
	}
	if version {
		b.write(" AND " + b.Columns[b.Table.Version.Index] + " = ")
		b.param()
	}
}

func (b *builder) returning(cols []int) {
	if len(cols) > 0 {
		b.write(" RETURNING ")
		b.names(cols)
	}
}

// InsertShape returns the shape of an INSERT of these columns, giving back others.
func (x *Statements) InsertShape(cols, returning []int) *Shape {
	return x.shape('i', cols, nil, returning)
}

// UpdateShape returns the shape of an UPDATE of these columns, giving back
// others.
func (x *Statements) UpdateShape(cols, returning []int) *Shape {
	return x.shape('u', cols, nil, returning)
}

// TakeOverShape is UpdateShape for a row that gets another object: defaults are
// columns that get the database's own value, as far as that can be said.
func (x *Statements) TakeOverShape(cols, defaults, returning []int) *Shape {
	return x.shape('u', cols, slices.DeleteFunc(slices.Clone(defaults), func(i int) bool { return x.defaultOf(i) == "" }), returning)
}

func (x *Statements) shape(kind byte, cols, defaults, returning []int) *Shape {
	key := string(kind) + indices(cols) + "/" + indices(returning) + "/" + indices(defaults)
	x.mu.Lock()
	known := x.shapes[key]
	x.mu.Unlock()
	if known != nil {
		return known
	}
	s := &Shape{Cols: slices.Clone(cols), Defaults: defaults, Returning: slices.Clone(returning)}
	if kind == 'i' {
		s.Text = x.Insert(s, 1)
	} else {
		s.Text = x.update(s)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.shapes[key]; known != nil {
		return known
	}
	x.shapes[key] = s
	return s
}

// Insert is INSERT of n rows of a shape. If there are several, the key is
// given back too, which tells them apart.
func (x *Statements) Insert(s *Shape, n int) string {
	cols, returning := s.Cols, s.Returning
	if n > 1 {
		returning = x.ReturningMany(s)
	}
	return x.of('i', cols, "/"+indices(returning)+"/"+itoa(n), func(b *builder) {
		b.write("INSERT INTO " + x.Name)
		switch {
		case len(cols) > 0:
			b.write(" (")
			b.names(cols)
			b.write(") VALUES ")
			for row := range n {
				if row > 0 {
					b.write(", ")
				}
				b.write("(")
				b.params(len(cols))
				b.write(")")
			}
		case x.dialect.Features.Upsert == backend.UpsertOnDuplicateKey: // MySQL
			b.write(" () VALUES ()")
		default:
			b.write(" DEFAULT VALUES")
		}
		b.returning(returning)
	})
}

// ReturningMany are the columns that an INSERT of several rows of a shape gives
// back.
func (x *Statements) ReturningMany(s *Shape) []int {
	out := slices.Clone(s.Returning)
	if len(out) == 0 {
		return nil
	}
	for _, k := range x.Table.Key {
		if !slices.Contains(out, k.Index) {
			out = append(out, k.Index)
		}
	}
	return out
}

// Set is UPDATE of these columns of one row, whatever its version.
func (x *Statements) Set(cols []int) string {
	return x.of('s', cols, "", func(b *builder) {
		b.assignments(cols)
		b.where(false)
	})
}

// update is UPDATE of one row, giving back what the shape says.
func (x *Statements) update(s *Shape) string {
	return x.of('u', s.Cols, "/"+indices(s.Returning)+"/"+indices(s.Defaults), func(b *builder) {
		b.takeOver(s, s.Defaults, x.defaultOf)
	})
}

// Delete is DELETE of one row.
func (x *Statements) Delete() string {
	return x.of('d', nil, "", func(b *builder) {
		b.write("DELETE FROM " + x.Name)
		b.where(x.Table.Version != nil)
	})
}

// ByKey is SELECT of one row by its key.
func (x *Statements) ByKey(lock string) string {
	if lock == "" {
		return x.byKey
	}
	return x.of('g', nil, lock, func(b *builder) { b.write(x.selectByKey(lock)) })
}

func (x *Statements) selectByKey(lock string) string {
	b := &builder{Statements: x}
	b.write("SELECT " + x.List + " FROM " + x.Name)
	b.where(false)
	b.write(lock)
	return string(b.buf)
}

// InsertAssociation is INSERT of the row between two others of a many-to-many
// relation; unread says that it may be there already.
func InsertAssociation(d *engine.Dialect, r *mapping.Relation, unread bool) string {
	cols := slices.Concat(r.Through.Local, r.Through.Remote)
	values := make([]string, len(cols))
	for i, c := range cols {
		values[i], cols[i] = string(d.AppendPlaceholder(nil, i+1)), d.QuoteName(c)
	}
	return "INSERT INTO " + QuotePath(d, r.Through.Name) + " (" + strings.Join(cols, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")" + orNothing(d, cols[0], unread)
}

// orNothing makes an INSERT of a row that is there do nothing.
func orNothing(d *engine.Dialect, col string, wanted bool) string {
	switch {
	case !wanted:
		return ""
	case IsMySQL(d): // unlike INSERT IGNORE this hides no other error
		return " ON DUPLICATE KEY UPDATE " + col + " = " + col
	default:
		return " ON CONFLICT DO NOTHING"
	}
}

// DeleteAssociation is DELETE of the row between two others, or of all rows of
// the one.
func DeleteAssociation(d *engine.Dialect, r *mapping.Relation, all bool) string {
	cols := slices.Clone(r.Through.Local)
	if !all {
		cols = append(cols, r.Through.Remote...)
	}
	for i, c := range cols {
		cols[i] = d.QuoteName(c) + " = " + string(d.AppendPlaceholder(nil, i+1))
	}
	return "DELETE FROM " + QuotePath(d, r.Through.Name) + " WHERE " + strings.Join(cols, " AND ")
}

// Named is columns of the table, quoted.
func (x *Statements) Named(cols []int) string {
	b := &builder{Statements: x}
	b.names(cols)
	return string(b.buf)
}

// QualifiedList is all columns with the name of the table.
func (x *Statements) QualifiedList() string {
	b := &builder{Statements: x}
	b.qualified(x.Name)
	return string(b.buf)
}
