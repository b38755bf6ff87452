package load

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/dml"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// manyKeys is how many keys one query asks for at most.
const manyKeys = 512

// Related reads what a relation of objects holds, in one query for every
// [manyKeys] of them. What the program has
// put into the relation and taken out of it since it was read stays so.
func (l *Loader) Related(ctx context.Context, r *mapping.Relation, owners []*identity.State) error {
	q := &relationQuery{Loader: l, r: r, owners: map[identity.Key][]*identity.State{}, found: map[*identity.State][]memory.Pointer{}}
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
		st.SetLoaded(r, q.found[st])
		l.Journal.Saw(st)
	}
	return nil
}

// relationQuery reads a relation.
type relationQuery struct {
	*Loader
	r      *mapping.Relation
	owners map[identity.Key][]*identity.State // by what refers to what is read
	keys   []*identity.State                  // one for each
	found  map[*identity.State][]memory.Pointer
}

// rowOf returns what says to what an owner refers, or what refers to it: in the
// database that is still the key that it was read with.
func (l *relationQuery) rowOf(st *identity.State) memory.Pointer {
	if l.r.Kind != mapping.BelongsTo && st.Status == identity.Persistent {
		return st.Snapshot
	}
	return st.Object
}

// note remembers an owner. It reports whether rows have to be read for it.
func (l *relationQuery) note(st *identity.State) bool {
	id, ok := identity.KeyBy(l.r.Local, l.rowOf(st))
	if !ok {
		return false // it refers to nothing
	}
	known := len(l.owners[id]) > 0
	l.owners[id] = append(l.owners[id], st)
	if l.r.Kind == mapping.BelongsTo {
		if other := l.Map.Find(l.r.Other, id); other != nil && !other.Expired {
			l.attach(st, other)
			return false
		}
	}
	return !known
}

// attach notes that an owner holds an object.
func (l *relationQuery) attach(owner, st *identity.State) {
	l.found[owner] = append(l.found[owner], st.Object)
}

// read reads what these owners hold.
func (l *relationQuery) read(ctx context.Context, keys []*identity.State) error {
	conn, err := l.Session.Connect(ctx)
	if err != nil {
		return err
	}
	d := conn.Dialect()
	args := dml.Args{Arrays: dml.HasArrays(d)}
	n := 1
	for n < len(keys) {
		n *= 2 // few sizes make few texts
	}
	for i := range n {
		args.Add(l.rowOf(keys[min(i, len(keys)-1)]), l.r.Local...)
	}
	if args.Err != nil {
		return args.Err
	}
	ofOwner := l.r.Remote
	if l.r.Kind == mapping.ManyToMany {
		ofOwner = l.r.Local
	}
	return l.each(ctx, conn, &dml.Bound{Text: dml.For(d, l.r.Other).Related(l.r, n), Args: args.List}, ofOwner)
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
	plan, err := dml.ScanPlan(conn.Dialect(), t, t.All())
	if err != nil {
		return err
	}
	var ownerPlan *scan.Type
	if many {
		if ownerPlan, err = dml.ScanPlan(conn.Dialect(), l.r.Table, dml.IndicesOf(ofOwner)); err != nil {
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
		id, _ := identity.KeyBy(ofOwner, at)
		st, err := l.instance(ctx, t, row, t.Columns, false, nil)
		if err != nil {
			return err
		}
		for _, owner := range l.owners[id] {
			l.attach(owner, st)
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
