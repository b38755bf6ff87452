// Package dependency finds out what relations want of the database: which foreign keys
// rows are to have, and which rows are to lie between two others.
package dependency

import (
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Ref is a foreign key that a relation wants an object to have.
type Ref struct {
	Cols   []*mapping.Column // of the object that refers
	Parent *identity.State   // what it is to refer to; nil: nothing
	Keys   []*mapping.Column // of the parent
	Field  string            // the relation's, for errors
}

// sameColumns reports whether two references are about the same columns.
func (w Ref) sameColumns(o Ref) bool { return slices.Equal(w.Cols, o.Cols) }

// Set are what the relations of all objects want.
type Set struct {
	// ForeignKeys are the foreign keys that objects are to have.
	ForeignKeys map[*identity.State][]Ref
	// Inserts are the rows between two others that are to be there.
	Inserts []Pair
	// Deletes are those that are not.
	Deletes []Pair
	// baselines are what relations held, for when the rest has been written.
	baselines []baseline

	released []release
	known    map[pairKey]bool // of inserts
}

// Empty reports whether nothing is wanted.
func (s *Set) Empty() bool { return len(s.ForeignKeys)+len(s.Inserts)+len(s.Deletes) == 0 }

// Collect finds out what relations want. It touches no object. related are the
// objects whose relations count, marked those that are to be deleted, each in
// the order of addition.
func Collect(o *identity.Map, related, marked []*identity.State) (*Set, error) {
	s := &Set{ForeignKeys: map[*identity.State][]Ref{}, known: map[pairKey]bool{}}
	for _, st := range related {
		if err := s.relate(o, st); err != nil {
			return nil, err
		}
	}
	for _, st := range marked {
		s.releaseChildren(o, st)
	}
	for _, r := range s.released { // now it is known who has whom
		if err := s.requireKey(r.child, r.Ref); err != nil {
			return nil, err
		}
	}
	for _, st := range related {
		if st.Status == identity.Pending || st.RelationsModified() {
			s.baselines = append(s.baselines, baselineOf(st))
		}
	}
	return s, nil
}

// Pair is a row of a table between two others.
type Pair struct {
	// Relation is the relation of One that says so.
	Relation *mapping.Relation
	// One is the object whose relation it is.
	One *identity.State
	// Other is the object it holds; nil: all that it holds.
	Other *identity.State
}

// relate finds out what the relations of an object want.
func (s *Set) relate(o *identity.Map, st *identity.State) error {
	for _, r := range st.Table.Relations() {
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
func (s *Set) belongs(o *identity.Map, st *identity.State, r *mapping.Relation) error {
	now, before := identity.First(st.Members(r)), identity.First(st.Committed(r))
	if now == before && st.Status != identity.Pending || now == nil && st.Status == identity.Pending {
		return nil
	}
	assigned := st.Assigned(r.Local)
	if now == nil {
		if assigned {
			return nil
		}
		return s.requireKey(st, Ref{Cols: r.Local, Field: r.Field})
	}
	parent := o.At(now)
	if parent == nil {
		if identity.KeyIsZero(r.Other, now) {
			return fmt.Errorf("%s.%s holds an object that is not in the session, and has no key: add it", st.Table.Type.Name(), r.Field)
		}
		parent = identity.Detached(r.Other, now)
	}
	w := Ref{Cols: r.Local, Parent: parent, Keys: r.Remote, Field: r.Field}
	if w.contradicted(st) {
		return disagree(st, w)
	}
	return s.requireKey(st, w)
}

// contradicted reports whether the program has assigned a part of the foreign key
// that is not that of the parent.
func (w Ref) contradicted(st *identity.State) bool {
	for i := range w.Cols {
		if w.Generated(i) && st.Assigned(w.Cols[i:i+1]) {
			return true
		}
	}
	return st.Contradicts(w.Cols, w.Keys, w.Parent.Object)
}

// Generated reports whether a part of the parent's key is not known before the
// parent is inserted.
func (w Ref) Generated(i int) bool {
	return w.Parent != nil && w.Parent.Status == identity.Pending && w.Keys[i].Zero(w.Parent.Object)
}

// NewKey reports whether the parent gets the key in this flush: another row may
// have had it.
func (w Ref) NewKey() bool {
	return w.Parent != nil && (w.Parent.Status == identity.Pending ||
		slices.ContainsFunc(w.Keys, func(k *mapping.Column) bool { return !k.Equal(w.Parent.Object, w.Parent.Before()) }))
}

func disagree(st *identity.State, w Ref) error {
	return fmt.Errorf("%s.%s and %s were assigned and disagree: assign one of them", st.Table.Type.Name(), w.Cols[0].Field, w.Field)
}

// has compares the objects that st has with those it had. One that came gets
// st as its parent, one that went gets none, unless another object has it now.
func (s *Set) has(o *identity.Map, st *identity.State, r *mapping.Relation) error {
	now := st.Members(r)
	before := identity.Finder(st.Committed(r))
	for _, m := range now {
		child := o.At(m)
		if child == nil || child.Marked || child.Status == identity.Deleted {
			continue
		}
		if st.Status != identity.Pending && child.Status != identity.Pending && before(m) {
			continue
		}
		w := Ref{Cols: r.Remote, Parent: st, Keys: r.Local, Field: r.Table.Type.Name() + "." + r.Field}
		if w.contradicted(child) {
			return disagree(child, w)
		}
		if err := s.requireKey(child, w); err != nil {
			return err
		}
	}
	for _, m := range identity.Difference(st.Committed(r), now) {
		s.releaseChild(o, st, r, m)
	}
	return nil
}

// releaseChild notes that a child is to refer to nothing, if it refers to st and
// nobody else has it.
func (s *Set) releaseChild(o *identity.Map, st *identity.State, r *mapping.Relation, m memory.Pointer) {
	child := o.At(m)
	if child == nil || child.Marked || child.Status != identity.Persistent || child.Assigned(r.Remote) {
		return
	}
	if !child.RefersTo(r, st, child.Snapshot) {
		return
	}
	s.released = append(s.released, release{child, Ref{Cols: r.Remote, Field: r.Table.Type.Name() + "." + r.Field}})
}

// release is a child that is to refer to nothing, unless somebody has it.
type release struct {
	child *identity.State
	Ref
}

// releaseChildren lets go of the children of an object that is to be deleted. Those
// that go with it are marked already.
func (s *Set) releaseChildren(o *identity.Map, st *identity.State) {
	for _, r := range st.Table.Relations() {
		switch r.Kind {
		case mapping.HasOne, mapping.HasMany:
			if r.Passive {
				continue
			}
			for _, m := range append(st.Members(r), identity.Difference(st.Committed(r), st.Members(r))...) {
				s.releaseChild(o, st, r, m)
			}
		case mapping.ManyToMany:
			if !r.Passive {
				s.Deletes = append(s.Deletes, Pair{r, st, nil})
			}
		}
	}
}

// requireKey notes a foreign key that an object is to have. Two relations that want
// different ones are an error.
func (s *Set) requireKey(child *identity.State, w Ref) error {
	for i, known := range s.ForeignKeys[child] {
		switch {
		case !known.sameColumns(w):
			continue
		case known.Parent == nil:
			s.ForeignKeys[child][i] = w
		case w.Parent != nil && w.Parent.Object != known.Parent.Object:
			return fmt.Errorf("%s and %s want different objects for %s.%s", known.Field, w.Field, child.Table.Type.Name(), w.Cols[0].Field)
		}
		return nil
	}
	s.ForeignKeys[child] = append(s.ForeignKeys[child], w)
	return nil
}

// pairs compares the objects that st is paired with with those it was.
func (s *Set) pairs(o *identity.Map, st *identity.State, r *mapping.Relation) {
	now := st.Members(r)
	before, held := identity.Finder(st.Committed(r)), identity.Finder(now)
	for _, m := range now {
		other := o.At(m)
		if other == nil || other.Status == identity.Deleted || other.Marked {
			continue
		}
		if st.Status != identity.Pending && other.Status != identity.Pending && before(m) {
			continue
		}
		if l := (Pair{r, st, other}); st.Status == identity.Pending || other.Status == identity.Pending || !l.paired() {
			s.link(l)
		}
	}
	for _, m := range st.Committed(r) {
		other := o.At(m)
		if other == nil || other.Status == identity.Pending || st.Status == identity.Pending {
			continue
		}
		if other.Marked && len(Inverses(r)) > 0 {
			continue // all of its rows are deleted with it
		}
		if other.Marked || !held(m) {
			s.Deletes = append(s.Deletes, Pair{r, st, other})
		}
	}
}

// link notes that a pair is to be inserted, once: both sides may say so.
func (s *Set) link(l Pair) {
	key := pairKey{l.Relation.Through.Name, l.One, l.Other}
	if l.Relation.Through.Local[0] > l.Relation.Through.Remote[0] {
		key.a, key.b = key.b, key.a
	}
	if !s.known[key] {
		s.known[key] = true
		s.Inserts = append(s.Inserts, l)
	}
}

// pairKey is a pair seen from either side.
type pairKey struct {
	through string
	a, b    *identity.State
}
