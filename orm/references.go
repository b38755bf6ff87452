package orm

import (
	"fmt"
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

// dependencies are what the relations of all objects want.
type dependencies struct {
	// foreignKeys are the foreign keys that objects are to have.
	foreignKeys map[*state][]reference
	// inserts are the rows between two others that are to be there.
	inserts []pair
	// deletes are those that are not.
	deletes []pair
	// baselines are what relations held, for when the rest has been written.
	baselines []baseline

	released []release
	known    map[pairKey]bool // of inserts
}

// empty reports whether nothing is wanted.
func (s *dependencies) empty() bool { return len(s.foreignKeys)+len(s.inserts)+len(s.deletes) == 0 }

// collect finds out what relations want. It touches no object. related are the
// objects whose relations count, marked those that are to be deleted, each in
// the order of addition.
func collect(o *objects, related, marked []*state) (*dependencies, error) {
	s := &dependencies{foreignKeys: map[*state][]reference{}, known: map[pairKey]bool{}}
	for _, st := range related {
		if err := s.relate(o, st); err != nil {
			return nil, err
		}
	}
	for _, st := range marked {
		s.abandon(o, st)
	}
	for _, r := range s.released { // now it is known who has whom
		if err := s.want(r.child, r.reference); err != nil {
			return nil, err
		}
	}
	for _, st := range related {
		if st.status == pending || st.relationsModified() {
			s.baselines = append(s.baselines, baselineOf(st))
		}
	}
	return s, nil
}

// pair is a row of a table between two others.
type pair struct {
	r          *mapping.Relation
	one, other *state
}

// relate finds out what the relations of an object want.
func (s *dependencies) relate(o *objects, st *state) error {
	for _, r := range st.table.Relations() {
		var err error
		switch r.Kind {
		case mapping.BelongsTo:
			err = s.belongs(o, st, r)
		case mapping.HasOne, mapping.HasMany:
			err = s.has(o, st, r)
		case mapping.ManyToMany:
			s.pairs(o, st, r)
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
func (s *dependencies) belongs(o *objects, st *state, r *mapping.Relation) error {
	now, before := first(st.members(r)), first(st.linked(r))
	if now == before && st.status != pending || now == nil && st.status == pending {
		return nil
	}
	assigned := st.assigned(r.Local)
	if now == nil {
		if assigned {
			return nil
		}
		return s.want(st, reference{cols: r.Local, field: r.Field})
	}
	parent := o.at(now)
	if parent == nil {
		if keyIsZero(r.Other, now) {
			return fmt.Errorf("%s.%s holds an object that is not in the session, and has no key: add it", st.table.Type.Name(), r.Field)
		}
		parent = detached(r.Other, now)
	}
	w := reference{cols: r.Local, parent: parent, keys: r.Remote, field: r.Field}
	if assigned && !w.agrees(st) {
		return disagree(st, w)
	}
	return s.want(st, w)
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
func (s *dependencies) has(o *objects, st *state, r *mapping.Relation) error {
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
		if err := s.want(child, w); err != nil {
			return err
		}
	}
	for _, m := range difference(st.linked(r), now) {
		s.letGo(o, st, r, m)
	}
	return nil
}

// letGo notes that a child is to refer to nothing, if it refers to st and
// nobody else has it.
func (s *dependencies) letGo(o *objects, st *state, r *mapping.Relation, m unsafe.Pointer) {
	child := o.at(m)
	if child == nil || child.marked || child.status != persistent || child.assigned(r.Remote) {
		return
	}
	for i, c := range r.Remote {
		if !c.RefersTo(child.snapshot, r.Local[i], st.obj) {
			return
		}
	}
	s.released = append(s.released, release{child, reference{cols: r.Remote, field: r.Table.Type.Name() + "." + r.Field}})
}

// release is a child that is to refer to nothing, unless somebody has it.
type release struct {
	child *state
	reference
}

// abandon lets go of the children of an object that is to be deleted. Those
// that go with it are marked already.
func (s *dependencies) abandon(o *objects, st *state) {
	for _, r := range st.table.Relations() {
		switch r.Kind {
		case mapping.HasOne, mapping.HasMany:
			if r.Passive {
				continue
			}
			for _, m := range append(st.members(r), difference(st.linked(r), st.members(r))...) {
				s.letGo(o, st, r, m)
			}
		case mapping.ManyToMany:
			if !r.Passive {
				s.deletes = append(s.deletes, pair{r, st, nil})
			}
		}
	}
}

// want notes a foreign key that an object is to have. Two relations that want
// different ones are an error.
func (s *dependencies) want(child *state, w reference) error {
	for i, known := range s.foreignKeys[child] {
		switch {
		case !known.same(w):
			continue
		case known.parent == nil:
			s.foreignKeys[child][i] = w
		case w.parent != nil && w.parent.obj != known.parent.obj:
			return fmt.Errorf("%s and %s want different objects for %s.%s", known.field, w.field, child.table.Type.Name(), w.cols[0].Field)
		}
		return nil
	}
	s.foreignKeys[child] = append(s.foreignKeys[child], w)
	return nil
}

// pairs compares the objects that st is paired with with those it was.
func (s *dependencies) pairs(o *objects, st *state, r *mapping.Relation) {
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
			s.link(l)
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
			s.deletes = append(s.deletes, pair{r, st, other})
		}
	}
}

// link notes that a pair is to be inserted, once: both sides may say so.
func (s *dependencies) link(l pair) {
	key := pairKey{l.r.Through.Name, l.one, l.other}
	if l.r.Through.Local[0] > l.r.Through.Remote[0] {
		key.a, key.b = key.b, key.a
	}
	if !s.known[key] {
		s.known[key] = true
		s.inserts = append(s.inserts, l)
	}
}

// pairKey is a pair seen from either side.
type pairKey struct {
	through string
	a, b    *state
}
