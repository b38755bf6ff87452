package orm

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// statement is SQL text in a dialect's own syntax with its arguments.
type statement struct {
	text string
	args []any
}

// Render implements [engine.Statement].
func (s *statement) Render(*engine.Dialect) (text string, args []any, err error) {
	return s.text, s.args, nil
}

// texts keeps the SQL of a table in a dialect: made once for each set of
// columns.
type texts struct {
	dialect *engine.Dialect
	table   *mapping.Table
	name    string   // the table's, quoted
	columns []string // the columns', quoted
	list    string   // all of them

	mu     sync.Mutex
	made   map[string]string
	shapes map[string]*shape
}

// textsKey finds the texts of a table. Dialects are few and live as long as
// their engines; what is kept for one is bounded by the sets of columns that
// a program writes.
type textsKey struct {
	dialect *engine.Dialect
	table   *mapping.Table
}

var allTexts sync.Map // of *texts

func textsOf(d *engine.Dialect, t *mapping.Table) *texts {
	if x, ok := allTexts.Load(textsKey{d, t}); ok {
		return x.(*texts)
	}
	x := &texts{dialect: d, table: t, name: d.QuoteName(t.Name), made: map[string]string{}, shapes: map[string]*shape{}}
	if t.Schema != "" {
		x.name = d.QuoteName(t.Schema) + "." + x.name
	}
	for _, c := range t.Columns {
		x.columns = append(x.columns, d.QuoteName(c.Name))
	}
	x.list = strings.Join(x.columns, ", ")
	known, _ := allTexts.LoadOrStore(textsKey{d, t}, x)
	return known.(*texts)
}

// of returns the text of a kind of statement for a set of columns, making it if
// it is the first of them.
func (x *texts) of(kind byte, cols []int, extra string, write func(b *builder)) string {
	key := string(kind) + indices(cols) + extra
	x.mu.Lock()
	defer x.mu.Unlock()
	if text, ok := x.made[key]; ok {
		return text
	}
	b := &builder{texts: x}
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
	*texts
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
		b.write(b.columns[c])
	}
}

// assignments writes UPDATE with parameters for these columns.
func (b *builder) assignments(cols []int) {
	b.write("UPDATE " + b.name + " SET ")
	for i, c := range cols {
		if i > 0 {
			b.write(", ")
		}
		b.write(b.columns[c] + " = ")
		b.param()
	}
}

// where writes the condition for a row by its key and, if wanted, version.
func (b *builder) where(version bool) {
	b.write(" WHERE ")
	for i, c := range b.table.Key {
		if i > 0 {
			b.write(" AND ")
		}
		b.write(b.columns[c.Index] + " = ")
		b.param()
	}
	if version {
		b.write(" AND " + b.columns[b.table.Version.Index] + " = ")
		b.param()
	}
}

func (b *builder) returning(cols []int) {
	if len(cols) > 0 {
		b.write(" RETURNING ")
		b.names(cols)
	}
}

// insertShape returns the shape of an INSERT of these columns, giving back others.
func (x *texts) insertShape(cols, returning []int) *shape { return x.shape('i', cols, returning) }

// updateShape returns the shape of an UPDATE of these columns, giving back
// others.
func (x *texts) updateShape(cols, returning []int) *shape { return x.shape('u', cols, returning) }

func (x *texts) shape(kind byte, cols, returning []int) *shape {
	key := string(kind) + indices(cols) + "/" + indices(returning)
	x.mu.Lock()
	known := x.shapes[key]
	x.mu.Unlock()
	if known != nil {
		return known
	}
	s := &shape{cols: slices.Clone(cols), returning: slices.Clone(returning)}
	if kind == 'i' {
		s.text = x.insert(s, 1)
	} else {
		s.text = x.update(s.cols, s.returning)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if known := x.shapes[key]; known != nil {
		return known
	}
	x.shapes[key] = s
	return s
}

// insert is INSERT of n rows of a shape. If there are several, the key is
// given back too, which tells them apart.
func (x *texts) insert(s *shape, n int) string {
	cols, returning := s.cols, s.returning
	if n > 1 {
		returning = x.returningMany(s)
	}
	return x.of('i', cols, "/"+indices(returning)+"/"+itoa(n), func(b *builder) {
		b.write("INSERT INTO " + x.name)
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
		case x.dialect.Features.Upsert == engine.UpsertOnDuplicateKey: // MySQL
			b.write(" () VALUES ()")
		default:
			b.write(" DEFAULT VALUES")
		}
		b.returning(returning)
	})
}

// returningMany are the columns that an INSERT of several rows of a shape gives
// back.
func (x *texts) returningMany(s *shape) []int {
	out := slices.Clone(s.returning)
	if len(out) == 0 {
		return nil
	}
	for _, k := range x.table.Key {
		if !slices.Contains(out, k.Index) {
			out = append(out, k.Index)
		}
	}
	return out
}

// set is UPDATE of these columns of one row, whatever its version.
func (x *texts) set(cols []int) string {
	return x.of('s', cols, "", func(b *builder) {
		b.assignments(cols)
		b.where(false)
	})
}

// update is UPDATE of these columns of one row, giving back others.
func (x *texts) update(cols, returning []int) string {
	return x.of('u', cols, "/"+indices(returning), func(b *builder) {
		b.assignments(cols)
		b.where(x.table.Version != nil)
		b.returning(returning)
	})
}

// delete is DELETE of one row.
func (x *texts) delete() string {
	return x.of('d', nil, "", func(b *builder) {
		b.write("DELETE FROM " + x.name)
		b.where(x.table.Version != nil)
	})
}

// get is SELECT of one row by its key.
func (x *texts) get(lock string) string {
	return x.of('g', nil, lock, func(b *builder) {
		b.write("SELECT " + x.list + " FROM " + x.name)
		b.where(false)
		b.write(lock)
	})
}

// insertAssociation is INSERT of the row between two others of a many-to-many
// relation.
func insertAssociation(d *engine.Dialect, r *mapping.Relation) string {
	cols := slices.Concat(r.Through.Local, r.Through.Remote)
	values := make([]string, len(cols))
	for i, c := range cols {
		values[i], cols[i] = string(d.AppendPlaceholder(nil, i+1)), d.QuoteName(c)
	}
	return "INSERT INTO " + quotePath(d, r.Through.Name) + " (" + strings.Join(cols, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
}

// deleteAssociation is DELETE of the row between two others, or of all rows of
// the one.
func deleteAssociation(d *engine.Dialect, r *mapping.Relation, all bool) string {
	cols := slices.Clone(r.Through.Local)
	if !all {
		cols = append(cols, r.Through.Remote...)
	}
	for i, c := range cols {
		cols[i] = d.QuoteName(c) + " = " + string(d.AppendPlaceholder(nil, i+1))
	}
	return "DELETE FROM " + quotePath(d, r.Through.Name) + " WHERE " + strings.Join(cols, " AND ")
}

// qualifiedList is all columns with the name of the table.
func (x *texts) qualifiedList() string {
	b := &builder{texts: x}
	b.qualified(x.name)
	return string(b.buf)
}
