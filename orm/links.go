package orm

import (
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// link is what a relation of an object held when it was last read or flushed.
type link struct {
	members []unsafe.Pointer
	loaded  bool // these are all there are
}

// linkOf returns the link of a relation.
func (st *state) linkOf(r *mapping.Relation) *link {
	if st.links == nil {
		st.links = make([]link, len(st.table.Relations()))
	}
	return &st.links[r.Index]
}

// linked returns what a relation held when it was last read or flushed.
func (st *state) linked(r *mapping.Relation) []unsafe.Pointer {
	if st.links == nil {
		return nil
	}
	return st.links[r.Index].members
}

// loaded reports whether what a relation holds is all there is.
func (st *state) loaded(r *mapping.Relation) bool {
	return st.status == pending || st.links != nil && st.links[r.Index].loaded
}

// members returns what a relation holds now.
func (st *state) members(r *mapping.Relation) []unsafe.Pointer { return r.AppendMembers(nil, st.obj) }

// settle makes what the relations of an object hold the baseline of what is a
// change.
func (st *state) settle(loaded bool) {
	for _, r := range st.table.Relations() {
		now := st.members(r)
		if st.links == nil && len(now) == 0 && !loaded {
			continue
		}
		l := st.linkOf(r)
		l.members, l.loaded = now, loaded
	}
}

// point makes a pointer hold an object, or none.
func (st *state) point(r *mapping.Relation, to *state) {
	var held []unsafe.Pointer
	if to != nil {
		held = []unsafe.Pointer{to.obj}
	}
	if first(st.members(r)) != first(held) {
		r.Set(st.obj, held)
	}
	if l := st.linked(r); first(l) != first(held) {
		st.linkOf(r).members = held
	}
}

// commitRelations makes these what changes of the relations are compared with;
// whole says that there are no others.
func (st *state) commitRelations(held [][]unsafe.Pointer, whole bool) {
	for i, r := range st.table.Relations() {
		l := st.linkOf(r)
		l.members, l.loaded = held[i], l.loaded || whole
	}
}

// relationsModified reports whether a relation holds others than it did.
func (st *state) relationsModified() bool {
	for _, r := range st.table.Relations() {
		if !slices.Equal(st.members(r), st.linked(r)) {
			return true
		}
	}
	return false
}

// difference returns what is in a and not in b. It may be a itself.
func difference(a, b []unsafe.Pointer) []unsafe.Pointer {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	if len(a) == len(b) && slices.Equal(a, b) {
		return nil
	}
	known := make(map[unsafe.Pointer]bool, len(b))
	for _, p := range b {
		known[p] = true
	}
	var out []unsafe.Pointer
	for _, p := range a {
		if !known[p] {
			out = append(out, p)
		}
	}
	return out
}

// related reports whether an object of the session has relations that a flush
// looks at.
func (st *state) related() bool {
	return st.status != deleted && !st.marked && len(st.table.Relations()) > 0
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
