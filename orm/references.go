package orm

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// reference is a foreign key that a relation wants an object to have.
type reference struct {
	cols   []*mapping.Column // of the object that refers
	parent *state            // what it is to refer to; nil: nothing
	keys   []*mapping.Column // of the parent
	field  string            // the relation's, for errors
}

// same reports whether two references are about the same columns.
func (w reference) same(o reference) bool { return w.cols[0] == o.cols[0] }

// references are the foreign keys that relations want, by the object that is
// to have them.
type references map[*state][]reference

// pair is a row of a table between two others.
type pair struct {
	r          *mapping.Relation
	one, other *state
}

// relate finds out what the relations of an object want.
func (p *plan) relate(o *objects, st *state) error {
	for _, r := range st.table.Relations() {
		var err error
		switch r.Kind {
		case mapping.BelongsTo:
			err = p.belongs(o, st, r)
		case mapping.HasOne, mapping.HasMany:
			err = p.has(o, st, r)
		case mapping.ManyToMany:
			p.pairs(o, st, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// belongs compares the object that st points to with the one it pointed to. An
// assignment to the pointer goes before the foreign key as it was, and has to
// agree with a foreign key that was assigned too.
func (p *plan) belongs(o *objects, st *state, r *mapping.Relation) error {
	now, before := first(st.members(r)), first(st.linked(r))
	if now == before && st.status != pending || now == nil && st.status == pending {
		return nil
	}
	assigned := st.assigned(r.Local)
	if now == nil {
		if assigned {
			return nil
		}
		return p.want(st, reference{cols: r.Local, field: r.Field})
	}
	parent := o.at(now)
	if parent == nil {
		if keyIsZero(r.Other, now) {
			return fmt.Errorf("%s.%s holds an object that is not in the session, and has no key: add it", st.table.Type.Name(), r.Field)
		}
		parent = &state{table: r.Other, obj: now, status: persistent}
	}
	w := reference{cols: r.Local, parent: parent, keys: r.Remote, field: r.Field}
	if assigned && !w.agrees(st) {
		return disagree(st, w)
	}
	return p.want(st, w)
}

// assigned reports whether a foreign key was assigned by the program.
func (st *state) assigned(cols []*mapping.Column) bool {
	for _, c := range cols {
		if st.status == pending && !c.Zero(st.obj) || st.status == persistent && !c.Equal(st.obj, st.snapshot) {
			return true
		}
	}
	return false
}

// agrees reports whether an object has the foreign key already.
func (w reference) agrees(st *state) bool {
	if w.parent == nil {
		return false
	}
	for i, c := range w.cols {
		if w.generated(i) || !c.RefersTo(st.obj, w.keys[i], w.parent.obj) {
			return false
		}
	}
	return true
}

// generated reports whether a part of the parent's key is not known before the
// parent is inserted.
func (w reference) generated(i int) bool {
	return w.parent != nil && w.parent.status == pending && w.keys[i].Zero(w.parent.obj)
}

func disagree(st *state, w reference) error {
	return fmt.Errorf("%s.%s and %s were assigned and disagree: assign one of them", st.table.Type.Name(), w.cols[0].Field, w.field)
}

// has compares the objects that st has with those it had. One that came gets
// st as its parent, one that went gets none, unless another object has it now.
func (p *plan) has(o *objects, st *state, r *mapping.Relation) error {
	now := st.members(r)
	before := finder(st.linked(r))
	for _, m := range now {
		child := o.at(m)
		if child == nil || child.marked || child.status == deleted {
			continue
		}
		if st.status != pending && child.status != pending && before(m) {
			continue
		}
		w := reference{cols: r.Remote, parent: st, keys: r.Local, field: r.Table.Type.Name() + "." + r.Field}
		if child.assigned(r.Remote) && !w.agrees(child) {
			return disagree(child, w)
		}
		if err := p.want(child, w); err != nil {
			return err
		}
	}
	for _, m := range difference(st.linked(r), now) {
		p.letGo(o, st, r, m)
	}
	return nil
}

// letGo notes that a child is to refer to nothing, if it refers to st and
// nobody else has it.
func (p *plan) letGo(o *objects, st *state, r *mapping.Relation, m unsafe.Pointer) {
	child := o.at(m)
	if child == nil || child.marked || child.status != persistent || child.assigned(r.Remote) {
		return
	}
	for i, c := range r.Remote {
		if !c.RefersTo(child.snapshot, r.Local[i], st.obj) {
			return
		}
	}
	p.released = append(p.released, release{child, reference{cols: r.Remote, field: r.Table.Type.Name() + "." + r.Field}})
}

// release is a child that is to refer to nothing, unless somebody has it.
type release struct {
	child *state
	reference
}

// abandon lets go of the children of an object that is to be deleted. Those
// that go with it are marked already.
func (p *plan) abandon(o *objects, st *state) {
	for _, r := range st.table.Relations() {
		switch r.Kind {
		case mapping.HasOne, mapping.HasMany:
			if r.Passive {
				continue
			}
			for _, m := range append(st.members(r), difference(st.linked(r), st.members(r))...) {
				p.letGo(o, st, r, m)
			}
		case mapping.ManyToMany:
			if !r.Passive {
				p.unlinks = append(p.unlinks, pair{r, st, nil})
			}
		}
	}
}

// want notes a foreign key that an object is to have. Two relations that want
// different ones are an error.
func (p *plan) want(child *state, w reference) error {
	for i, known := range p.wants[child] {
		switch {
		case !known.same(w):
			continue
		case known.parent == nil:
			p.wants[child][i] = w
		case w.parent != nil && w.parent.obj != known.parent.obj:
			return fmt.Errorf("%s and %s want different objects for %s.%s", known.field, w.field, child.table.Type.Name(), w.cols[0].Field)
		}
		return nil
	}
	p.wants[child] = append(p.wants[child], w)
	return nil
}

// pairs compares the objects that st is paired with with those it was.
func (p *plan) pairs(o *objects, st *state, r *mapping.Relation) {
	now := st.members(r)
	before, held := finder(st.linked(r)), finder(now)
	for _, m := range now {
		other := o.at(m)
		if other == nil || other.status == deleted || other.marked {
			continue
		}
		if st.status != pending && other.status != pending && before(m) {
			continue
		}
		if l := (pair{r, st, other}); st.status == pending || other.status == pending || !l.paired() {
			p.link(l)
		}
	}
	for _, m := range st.linked(r) {
		other := o.at(m)
		if other == nil || other.status == pending || st.status == pending {
			continue
		}
		if other.marked && len(inverses(r)) > 0 {
			continue // all of its rows are deleted with it
		}
		if other.marked || !held(m) {
			p.unlinks = append(p.unlinks, pair{r, st, other})
		}
	}
}

// link notes that a pair is to be inserted, once: both sides may say so.
func (p *plan) link(l pair) {
	key := pairKey{l.r.Through.Name, l.one, l.other}
	if l.r.Through.Local[0] > l.r.Through.Remote[0] {
		key.a, key.b = key.b, key.a
	}
	if !p.linked[key] {
		p.linked[key] = true
		p.links = append(p.links, l)
	}
}

// pairKey is a pair seen from either side.
type pairKey struct {
	through string
	a, b    *state
}

func first(members []unsafe.Pointer) unsafe.Pointer {
	if len(members) == 0 {
		return nil
	}
	return members[0]
}

// finder returns what tells whether an object is among these.
func finder(members []unsafe.Pointer) func(m unsafe.Pointer) bool {
	if len(members) < 16 {
		return func(m unsafe.Pointer) bool { return slices.Contains(members, m) }
	}
	known := make(map[unsafe.Pointer]bool, len(members))
	for _, m := range members {
		known[m] = true
	}
	return func(m unsafe.Pointer) bool { return known[m] }
}
