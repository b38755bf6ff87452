package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/term"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Fill is a relation that the rows of a query fill: the columns of its objects stand
// behind those of the query's own, and of the relations before it.
type Fill struct {
	// Relation is the relation.
	Relation *mapping.Relation
	// Owner says whose it is: 0 is the query's own object, n that of the n-th Fill.
	Owner int
}

// Filled is the query for rows that fill relations. A relation that is not joined
// yet is joined, outer.
func (q Select) Filled(d *engine.Dialect, t *mapping.Table) (text string, args []any, fills []Fill, err error) {
	if q.Wrong != nil {
		return "", nil, nil, q.Wrong
	}
	own := q.row(d, t)
	j, err := joinsOf(d, own, append(slices.Clip(q.Joins), q.Fill...))
	if err != nil {
		return "", nil, nil, err
	}
	fills, places, err := j.fills(q.Fill)
	if err != nil {
		return "", nil, nil, err
	}
	w := term.Writing(d)
	w.Open(j.rows...)
	w.Raw("SELECT ")
	w.Columns(&own)
	for _, at := range places {
		w.Raw(", ")
		w.Columns(&j.rows[at])
	}
	w.Raw(" FROM ")
	bounded := j.many && (q.Limited || q.Offset > 0) // objects are counted, not rows
	if bounded {
		q.bounded(w, own, j, places)
	} else {
		w.Raw(q.from(own))
		j.write(w)
		q.where(w, t)
	}
	q.order(w, own, j, fills, places)
	if !bounded {
		q.tail(w, own)
	}
	text, args, err = w.Done()
	return text, args, fills, err
}

// bounded writes the query's own rows, as many as there are to be, and joins the
// relations to them.
func (q Select) bounded(w *term.Writer, own term.Row, j *joined, places []int) {
	inner := q
	inner.Fill = nil
	before, err := joinsOf(w.Dialect(), own, q.Joins)
	if err != nil {
		w.Fail(err)
		return
	}
	for _, at := range places {
		if at < len(before.rows) {
			w.Fail(fmt.Errorf("orm: select: %s is filled from a join, and a limit would count its rows: use With", j.paths[at]))
			return
		}
	}
	w.Raw("(")
	inner.write(w, own.Table.Table, form{whole: true})
	w.Raw(") AS ", own.Name)
	for _, p := range j.pieces[len(before.pieces):] {
		w.Raw(p.text)
	}
}

// order writes the order of the query, and behind it that of the relations.
func (q Select) order(w *term.Writer, own term.Row, j *joined, fills []Fill, places []int) {
	q.orders(w, " ORDER BY ", own)
	word := " ORDER BY "
	if len(q.Order) > 0 {
		word = ", "
	}
	for i, f := range fills {
		if !f.Relation.Many() {
			continue
		}
		r := &j.rows[places[i]]
		if word == " ORDER BY " { // the objects stay in one order, each with its rows together or not
			w.Raw(word, j.key())
			word = ", "
		}
		w.Raw(word, orderOf(f.Relation, r))
	}
}

// orderOf is the order of a relation's objects, with the name of their table.
func orderOf(r *mapping.Relation, row *term.Row) string {
	if r.Order == "" {
		return row.Name + "." + row.Table.Columns[r.Other.Key[0].Index]
	}
	parts := strings.Split(r.Order, ",")
	for i, p := range parts {
		name, rest, _ := strings.Cut(strings.TrimSpace(p), " ")
		if c := r.Other.Column(name); c != nil {
			parts[i] = strings.TrimSpace(row.Name + "." + row.Table.Columns[c.Index] + " " + rest)
		}
	}
	return strings.Join(parts, ", ")
}

// fills returns the relations that are filled, each behind its owner's, and which
// of the tables their objects are of.
func (j *joined) fills(of []Join) (fills []Fill, places []int, err error) {
	seen := map[int]int{0: 0} // a table's place among the objects
	for _, one := range of {
		from, path := 0, one.Path
		if one.Field != nil {
			owner, r, err := j.relation(one.Field)
			if err != nil {
				return nil, nil, err
			}
			from, path = owner, r.Field
			if _, ok := seen[from]; !ok {
				return nil, nil, fmt.Errorf("orm: select: %s is not filled, whose relation %s is to be", j.paths[from], r.Field)
			}
		}
		paths, err := Paths(j.rows[from].Table.Table, []string{path})
		if err != nil {
			return nil, nil, err
		}
		for prefix := j.paths[from]; len(paths) > 0; paths = paths[0].Rest {
			r := paths[0].Relation
			prefix = strings.TrimPrefix(prefix+"."+r.Field, ".")
			at := j.at(prefix)
			if _, ok := seen[at]; !ok {
				fills, places = append(fills, Fill{r, seen[from]}), append(places, at)
				seen[at] = len(fills)
			}
			from = at
		}
	}
	return fills, places, nil
}
