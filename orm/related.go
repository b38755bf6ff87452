package orm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// manyKeys is how many keys one query asks for at most.
const manyKeys = 512

// related reads what a relation of objects holds, in one query for every
// [manyKeys] of them. What the program has
// put into the relation and taken out of it since it was read stays so.
func (l *loader) related(ctx context.Context, r *mapping.Relation, owners []*state) error {
	q := &relationQuery{loader: l, r: r, owners: map[identity][]*state{}, found: map[*state][]unsafe.Pointer{}}
	for _, st := range owners {
		if q.note(st) {
			q.keys = append(q.keys, st)
		}
	}
	for keys := range slices.Chunk(q.keys, manyKeys) {
		if err := q.read(ctx, keys); err != nil {
			return fmt.Errorf("orm: load %s.%s: %w", r.Table.Type.Name(), r.Field, err)
		}
	}
	for _, st := range owners {
		st.hold(r, q.found[st])
		l.journal.saw(st)
	}
	return nil
}

// relationQuery reads a relation.
type relationQuery struct {
	*loader
	r      *mapping.Relation
	owners map[identity][]*state // by what refers to what is read
	keys   []*state              // one for each
	found  map[*state][]unsafe.Pointer
}

// note remembers an owner. It reports whether rows have to be read for it.
func (l *relationQuery) note(st *state) bool {
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
func (l *relationQuery) give(owner, st *state) {
	l.found[owner] = append(l.found[owner], st.obj)
}

// read reads what these owners hold.
func (l *relationQuery) read(ctx context.Context, keys []*state) error {
	conn, err := l.session.Connect(ctx)
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
func (l *relationQuery) each(ctx context.Context, conn *engine.Conn, st engine.Statement, ofOwner []*mapping.Column) (err error) {
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
		if err := plan.Scan(part{cur, 0, lenIf(many, ofOwner)}, t.Object(row)); err != nil {
			return err
		}
		if many {
			at = l.r.Table.New()
			if err := ownerPlan.Scan(part{cur, len(t.Columns), 0}, l.r.Table.Object(at)); err != nil {
				return err
			}
		}
		id, _ := identityBy(ofOwner, at)
		st, err := l.instance(ctx, t, row, t.Columns, false, nil)
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
