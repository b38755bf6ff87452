package query

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Join is a table that takes part in a query: that of a relation, or of any type
// with conditions.
type Join struct {
	Path  string           // to the relation, such as "Team.Owner"
	Field any              // instead of a path: a pointer to the relation's field in a row
	On    []term.Condition // instead of a relation, for the type of Row
	Row   any              // a pointer to the struct whose fields stand for the columns; nil for that of the type
	Left  bool             // rows without another stay
}

// joined is a query's tables besides its own.
type joined struct {
	dialect *engine.Dialect
	pieces  []piece
	rows    []term.Row // the query's own first
	paths   []string   // by which relations each is reached
	many    bool       // one of them has several rows for one of the query's
}

// piece is a part of the joins.
type piece struct {
	text string
	on   []term.Condition
}

// joinsOf finds out how a query's tables are joined.
func joinsOf(d *engine.Dialect, own term.Row, joins []Join) (*joined, error) {
	if len(joins) == 0 {
		return &joined{}, nil
	}
	j := &joined{dialect: d, rows: []term.Row{own}, paths: []string{""}}
	for _, one := range joins {
		if err := j.join(one); err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *joined) join(one Join) error {
	word := " JOIN "
	if one.Left {
		word = " LEFT JOIN "
	}
	from, path := 0, one.Path
	switch {
	case one.On != nil:
		return j.on(word, one)
	case one.Field != nil:
		owner, r, err := j.relation(one.Field)
		if err != nil {
			return err
		}
		from, path = owner, r.Field
	}
	prefix := j.paths[from]
	paths, err := Paths(j.rows[from].Table.Table, []string{path})
	if err != nil {
		return err
	}
	for len(paths) > 0 {
		r := paths[0].Relation
		if prefix != "" {
			prefix += "."
		}
		prefix += r.Field
		to := j.at(prefix)
		if paths = paths[0].Rest; to < 0 {
			if to, err = j.add(word, from, prefix, r); err != nil {
				return err
			}
			if err := j.own(to, one.Row, len(paths) > 0); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// at returns the table that is reached by these relations, or -1.
func (j *joined) at(path string) int {
	for i, p := range j.paths {
		if p == path && i > 0 {
			return i
		}
	}
	return -1
}

// own gives a joined table a row of its own, if there is one.
func (j *joined) own(at int, row any, between bool) error {
	if row == nil || between {
		return nil
	}
	p, r := reflect.ValueOf(row), &j.rows[at]
	if p.Kind() != reflect.Pointer || p.Type().Elem() != r.Table.Table.Type || p.IsNil() {
		return fmt.Errorf("orm: select: join: a row of type %T: want a *%s", row, r.Table.Table.Type)
	}
	r.Base = p.UnsafePointer()
	return nil
}

// relation returns the relation to whose field a pointer points, and which of the
// query's rows it is of.
func (j *joined) relation(field any) (owner int, r *mapping.Relation, err error) {
	v := reflect.ValueOf(field)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return 0, nil, fmt.Errorf("orm: select: join: a %T is no relation: want its name, or a pointer to its field in a row of the query", field)
	}
	p := v.Pointer()
	for i, row := range j.rows {
		if base, t := uintptr(row.Base), row.Table.Table; p >= base && p-base < t.Type.Size() {
			if r := t.RelationAt(p - base); r != nil {
				return i, r, nil
			}
		}
	}
	return 0, nil, fmt.Errorf("orm: select: join: a %T that is no relation of the query's rows: %w", field, mapping.ErrUnknownField)
}

// on joins a table by conditions.
func (j *joined) on(word string, one Join) error {
	v := reflect.ValueOf(one.Row)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("orm: select: join: a %T is no row: want a pointer to a struct", one.Row)
	}
	t, err := mapping.Of(v.Type())
	if err != nil {
		return err
	}
	r := term.RowOf(j.dialect, t)
	name := t.Name
	for n := 2; j.taken(j.dialect.QuoteName(name)); n++ {
		name = t.Name + "_" + strconv.Itoa(n)
	}
	r.Base, r.Name = v.UnsafePointer(), j.dialect.QuoteName(name)
	j.rows, j.paths = append(j.rows, r), append(j.paths, name)
	j.many = true
	j.pieces = append(j.pieces, piece{text: word + r.Table.Name + " AS " + r.Name + " ON ", on: one.On})
	return nil
}

// taken reports whether a table has the name.
func (j *joined) taken(name string) bool {
	for _, r := range j.rows {
		if r.Name == name {
			return true
		}
	}
	return false
}

// aliasOf is the name of a joined table in the query: "Team.Owner" is
// team_owner.
func aliasOf(path string) string {
	parts := strings.Split(path, ".")
	for i, p := range parts {
		parts[i] = mapping.Snake(p)
	}
	return strings.Join(parts, "_")
}

// add joins the table of a relation.
func (j *joined) add(word string, from int, path string, r *mapping.Relation) (at int, err error) {
	q := j.dialect.QuoteName
	row := term.RowOf(j.dialect, r.Other)
	name := aliasOf(path)
	row.Name = q(name)
	other, alias := row.Table.Name, row.Name
	var text strings.Builder
	on := func(left string, ls []string, right string, rs []string) {
		text.WriteString(" ON ")
		for i := range ls {
			if i > 0 {
				text.WriteString(" AND ")
			}
			text.WriteString(right + "." + q(rs[i]) + " = " + left + "." + q(ls[i]))
		}
	}
	local, remote := namesOf(r.Local), namesOf(r.Remote)
	j.many = j.many || r.Many()
	if r.Kind == mapping.ManyToMany {
		between := q(name + "_link")
		text.WriteString(word + dml.QuotePath(j.dialect, r.Through.Name) + " AS " + between)
		on(j.rows[from].Name, local, between, r.Through.Local)
		text.WriteString(word + other + " AS " + alias)
		on(between, r.Through.Remote, alias, remote)
	} else {
		text.WriteString(word + other + " AS " + alias)
		on(j.rows[from].Name, local, alias, remote)
	}
	j.pieces = append(j.pieces, piece{text: text.String()})
	j.rows, j.paths = append(j.rows, row), append(j.paths, path)
	return len(j.rows) - 1, nil
}

// write appends the joins to a statement.
func (j *joined) write(w *term.Writer) {
	for _, p := range j.pieces {
		w.Raw(p.text)
		if p.on != nil {
			w.Node(&term.Junction{Word: "AND", Of: p.on})
		}
	}
}

func namesOf(cols []*mapping.Column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.Name
	}
	return out
}

// key is the key of the query's own table, as a row value if it has several
// columns.
func (j *joined) key() string {
	var cols []string
	for _, c := range j.rows[0].Table.Table.Key {
		cols = append(cols, j.rows[0].Name+"."+j.rows[0].Table.Columns[c.Index])
	}
	return strings.Join(cols, ", ")
}
