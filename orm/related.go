package orm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// manyKeys is how many keys one query asks for at most.
const manyKeys = 512

// loadRelated reads what a relation of objects holds, in one query for every
// [manyKeys] of them, and returns the objects it holds. What the program has
// put into the relation and taken out of it since it was read stays so.
func (s *Session) loadRelated(ctx context.Context, r *mapping.Relation, owners []*state) ([]*state, error) {
	l := &loader{Session: s, r: r, owners: map[identity][]*state{}, found: map[*state][]unsafe.Pointer{}}
	for _, st := range owners {
		if l.note(st) {
			l.keys = append(l.keys, st)
		}
	}
	for keys := range slices.Chunk(l.keys, manyKeys) {
		if err := l.read(ctx, keys); err != nil {
			return nil, fmt.Errorf("orm: load %s.%s: %w", r.Table.Type.Name(), r.Field, err)
		}
	}
	for _, st := range owners {
		st.hold(r, l.found[st])
		s.saw(st)
	}
	return l.all, nil
}

// loader reads a relation.
type loader struct {
	*Session
	r      *mapping.Relation
	owners map[identity][]*state // by what refers to what is read
	keys   []*state              // one for each
	found  map[*state][]unsafe.Pointer
	all    []*state
	seen   map[*state]bool
}

// note remembers an owner. It reports whether rows have to be read for it.
func (l *loader) note(st *state) bool {
	id, ok := identityBy(l.r.Local, st.obj)
	if !ok {
		return false // it refers to nothing
	}
	known := len(l.owners[id]) > 0
	l.owners[id] = append(l.owners[id], st)
	if l.r.Kind == mapping.BelongsTo {
		if other := l.objects.find(l.r.Other, id); other != nil && !other.expired {
			l.give(st, other)
			return false
		}
	}
	return !known
}

// give notes that an owner holds an object.
func (l *loader) give(owner, st *state) {
	l.found[owner] = append(l.found[owner], st.obj)
	if !l.seen[st] {
		if l.seen == nil {
			l.seen = map[*state]bool{}
		}
		l.seen[st] = true
		l.all = append(l.all, st)
	}
}

// read reads what these owners hold.
func (l *loader) read(ctx context.Context, keys []*state) error {
	conn, err := l.connect(ctx)
	if err != nil {
		return err
	}
	d := conn.Dialect()
	args := arguments{arrays: hasArrays(d)}
	n := 1
	for n < len(keys) {
		n *= 2 // few sizes make few texts
	}
	for i := range n {
		args.add(keys[min(i, len(keys)-1)].obj, l.r.Local...)
	}
	if args.err != nil {
		return args.err
	}
	ofOwner := l.r.Remote
	if l.r.Kind == mapping.ManyToMany {
		ofOwner = l.r.Local
	}
	return l.each(ctx, conn, &statement{text: textsOf(d, l.r.Other).related(l.r, n), args: args.list}, ofOwner)
}

// each runs the query. Of many-to-many, what refers to the owner stands behind
// the columns of the object.
func (l *loader) each(ctx context.Context, conn *engine.Conn, st engine.Statement, ofOwner []*mapping.Column) (err error) {
	cur, err := conn.Query(ctx, st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cur.Close()) }()
	t, many := l.r.Other, l.r.Kind == mapping.ManyToMany
	plan, err := planOf(conn.Dialect(), t, t.All())
	if err != nil {
		return err
	}
	var ownerPlan *scan.Type
	if many {
		if ownerPlan, err = planOf(conn.Dialect(), l.r.Table, indicesOf(ofOwner)); err != nil {
			return err
		}
	}
	for cur.Next() {
		row := t.New()
		at := row
		if err := plan.Scan(part{cur, 0, lenIf(many, ofOwner)}, objectAt(t, row)); err != nil {
			return err
		}
		if many {
			at = l.r.Table.New()
			if err := ownerPlan.Scan(part{cur, len(t.Columns), 0}, objectAt(l.r.Table, at)); err != nil {
				return err
			}
		}
		id, _ := identityBy(ofOwner, at)
		st, err := l.take(ctx, t, row, t.Columns, false, nil)
		if err != nil {
			return err
		}
		for _, owner := range l.owners[id] {
			l.give(owner, st)
		}
	}
	return cur.Err()
}

func lenIf(many bool, cols []*mapping.Column) int {
	if many {
		return len(cols)
	}
	return 0
}

// part is a row without some of the columns before and after.
type part struct {
	scan.Row
	before, after int
}

// Scan implements [scan.Row].
func (p part) Scan(dest ...any) error {
	if p.before+p.after == 0 {
		return p.Row.Scan(dest...)
	}
	all := make([]any, 0, p.before+len(dest)+p.after)
	for range p.before {
		all = append(all, new(any))
	}
	all = append(all, dest...)
	for range p.after {
		all = append(all, new(any))
	}
	return p.Row.Scan(all...)
}

func indicesOf(cols []*mapping.Column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.Index
	}
	return out
}

// hold makes what was read what a relation holds, but for what the program has
// put into it and taken out of it.
func (st *state) hold(r *mapping.Relation, read []unsafe.Pointer) {
	now, before := st.members(r), st.linked(r)
	l := st.linkOf(r)
	l.members, l.loaded = read, true
	if !r.Many() {
		if first(now) == first(before) || len(now) == 0 && r.Kind == mapping.BelongsTo {
			r.Set(st.obj, read)
		}
		return
	}
	in, out := difference(now, before), difference(before, now)
	held := append(slices.Clone(difference(read, out)), difference(in, read)...)
	r.Set(st.obj, held)
}

// related is SELECT of what n owners hold in a relation.
func (x *texts) related(r *mapping.Relation, n int) string {
	return x.of('r', nil, r.Table.FullName()+"."+r.Field+"/"+itoa(n), func(b *builder) {
		cols := indicesOf(r.Remote)
		alias := b.name
		b.write("SELECT ")
		b.qualified(alias)
		var through []string
		if r.Kind == mapping.ManyToMany {
			key := quotePath(b.dialect, r.Through.Name)
			for _, c := range r.Through.Local {
				through = append(through, key+"."+b.dialect.QuoteName(c))
			}
			b.write(", " + strings.Join(through, ", ") + " FROM " + b.name + " JOIN " + key + " ON ")
			for i, c := range r.Through.Remote {
				if i > 0 {
					b.write(" AND ")
				}
				b.write(key + "." + b.dialect.QuoteName(c) + " = " + alias + "." + b.columns[cols[i]])
			}
		} else {
			b.write(" FROM " + b.name)
			for _, c := range cols {
				through = append(through, alias+"."+b.columns[c])
			}
		}
		b.write(" WHERE ")
		b.in(through, n)
		order := r.Order
		if order == "" {
			order = alias + "." + b.columns[b.table.Key[0].Index]
		}
		b.write(" ORDER BY " + order)
	})
}

// qualified writes all columns with the name of their table.
func (b *builder) qualified(alias string) {
	for i, c := range b.columns {
		if i > 0 {
			b.write(", ")
		}
		b.write(alias + "." + c)
	}
}

// in writes the condition that columns are one of n keys.
func (b *builder) in(cols []string, n int) {
	if len(cols) == 1 {
		b.write(cols[0] + " IN (")
		b.params(n)
		b.write(")")
		return
	}
	for i := range n {
		if i > 0 {
			b.write(" OR ")
		}
		for j, c := range cols {
			b.write([...]string{"(", " AND "}[min(j, 1)] + c + " = ")
			b.param()
		}
		b.write(")")
	}
}
