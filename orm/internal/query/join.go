package query

import (
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Join is a relation whose table takes part in a query.
type Join struct {
	Path string // to the relation, such as "Team.Owner"
	Left bool   // rows without another stay
}

// joined is a query's tables besides its own.
type joined struct {
	dialect    *engine.Dialect
	statements *dml.Statements
	text       strings.Builder
	many       bool // one of them has several rows for one of the query's
	known      map[string]bool
	rows       []term.Row
}

// joinsOf writes the joins of a query.
func joinsOf(d *engine.Dialect, t *mapping.Table, joins []Join) (*joined, error) {
	j := &joined{dialect: d, statements: dml.For(d, t)}
	if len(joins) > 0 {
		j.known = map[string]bool{}
	}
	for _, one := range joins {
		paths, err := Paths(t, []string{one.Path})
		if err != nil {
			return nil, err
		}
		word, from, prefix := " JOIN ", j.statements.Name, ""
		if one.Left {
			word = " LEFT JOIN "
		}
		for len(paths) > 0 {
			r := paths[0].Relation
			prefix += r.Field
			alias := d.QuoteName(aliasOf(prefix))
			if !j.known[prefix] {
				j.known[prefix] = true
				j.add(word, from, alias, aliasOf(prefix), r)
			}
			from, paths = alias, paths[0].Rest
			prefix += "."
		}
	}
	return j, nil
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
func (j *joined) add(word, from, alias, name string, r *mapping.Relation) {
	q := j.dialect.QuoteName
	other := dml.For(j.dialect, r.Other).Name
	on := func(left string, ls []string, right string, rs []string) {
		j.text.WriteString(" ON ")
		for i := range ls {
			if i > 0 {
				j.text.WriteString(" AND ")
			}
			j.text.WriteString(right + "." + q(rs[i]) + " = " + left + "." + q(ls[i]))
		}
	}
	local, remote := namesOf(r.Local), namesOf(r.Remote)
	j.many = j.many || r.Many()
	row := term.RowOf(j.dialect, r.Other)
	row.Name = alias
	j.rows = append(j.rows, row)
	if r.Kind == mapping.ManyToMany {
		between := q(name + "_link")
		j.text.WriteString(word + dml.QuotePath(j.dialect, r.Through.Name) + " AS " + between)
		on(from, local, between, r.Through.Local)
		j.text.WriteString(word + other + " AS " + alias)
		on(between, r.Through.Remote, alias, remote)
		return
	}
	j.text.WriteString(word + other + " AS " + alias)
	on(from, local, alias, remote)
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
	for _, c := range j.statements.Table.Key {
		cols = append(cols, j.statements.Name+"."+j.statements.Columns[c.Index])
	}
	return strings.Join(cols, ", ")
}
