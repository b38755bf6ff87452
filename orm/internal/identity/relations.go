package identity

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// committed is what a relation of an object held when it was last read or flushed.
type committed struct {
	members []memory.Pointer
	loaded  bool // these are all there are
}

// committedOf returns what is known of a relation in the database.
func (st *State) committedOf(r *mapping.Relation) *committed {
	if st.links == nil {
		st.links = make([]committed, len(st.Table.Relations()))
	}
	return &st.links[r.Index]
}

// Committed returns what a relation held when it was last read or flushed.
func (st *State) Committed(r *mapping.Relation) []memory.Pointer {
	if st.links == nil {
		return nil
	}
	return st.links[r.Index].members
}

// SetCommitted makes these what a relation held when it was last flushed.
func (st *State) SetCommitted(r *mapping.Relation, members []memory.Pointer) {
	st.committedOf(r).members = members
}

// Loaded reports whether what a relation holds is all there is.
func (st *State) Loaded(r *mapping.Relation) bool {
	return st.Status == Pending || st.links != nil && st.links[r.Index].loaded
}

// Members returns what a relation holds now.
func (st *State) Members(r *mapping.Relation) []memory.Pointer {
	return r.AppendMembers(nil, st.Object)
}

// Commit makes what the relations of an object hold the baseline of what is a
// change.
func (st *State) Commit(loaded bool) {
	for _, r := range st.Table.Relations() {
		now := st.Members(r)
		if st.links == nil && len(now) == 0 && !loaded {
			continue
		}
		l := st.committedOf(r)
		l.members, l.loaded = now, loaded
	}
}

// Point makes a pointer hold an object, or none.
func (st *State) Point(r *mapping.Relation, to *State) {
	var held []memory.Pointer
	if to != nil {
		held = []memory.Pointer{to.Object}
	}
	if First(st.Members(r)) != First(held) {
		r.Set(st.Object, held)
	}
	if l := st.Committed(r); First(l) != First(held) {
		st.committedOf(r).members = held
	}
}

// pointBack makes a pointer hold what it held before a flush that was undone,
// unless the program has assigned another object since.
func (st *State) pointBack(r *mapping.Relation, held memory.Pointer) {
	l := st.committedOf(r)
	var before []memory.Pointer
	if held != nil {
		before = []memory.Pointer{held}
	}
	if First(st.Members(r)) == First(l.members) {
		r.Set(st.Object, before)
	}
	l.members, l.loaded = before, false
}

// SyncPointers makes the pointers of an object that was read again hold the
// objects that its row refers to, or none if the session does not have them. A
// pointer that the program has assigned stays.
func (o *Map) SyncPointers(st *State) {
	if st.links == nil {
		return
	}
	for _, r := range st.Table.Relations() {
		held := First(st.Members(r))
		if r.Kind != mapping.BelongsTo || held == nil || held != First(st.Committed(r)) {
			continue
		}
		parent := o.At(held)
		if parent == nil || refers(r, st.Snapshot, parent.Before()) {
			continue
		}
		var found *State
		if id, ok := KeyBy(r.Local, st.Snapshot); ok {
			found = o.Find(r.Other, id)
		}
		st.Point(r, found)
	}
}

// refers reports whether a row has the foreign key of a parent.
func refers(r *mapping.Relation, row, parent memory.Pointer) bool {
	for i, c := range r.Local {
		if !c.RefersTo(row, r.Remote[i], parent) {
			return false
		}
	}
	return true
}

// CommitHeld makes these what changes of the relations are compared with;
// whole says that there are no others.
func (st *State) CommitHeld(held [][]memory.Pointer, whole bool) {
	for i, r := range st.Table.Relations() {
		l := st.committedOf(r)
		l.members, l.loaded = held[i], l.loaded || whole
	}
}

// RelationsModified reports whether a relation holds others than it did.
func (st *State) RelationsModified() bool {
	for _, r := range st.Table.Relations() {
		now, before := st.Members(r), st.Committed(r)
		if len(now) != len(before) || len(Difference(now, before)) > 0 {
			return true // another order is no change
		}
	}
	return false
}

// Difference returns what is in a and not in b. It may be a itself.
func Difference(a, b []memory.Pointer) []memory.Pointer {
	if len(a) == 0 || len(b) == 0 {
		return a
	}
	if len(a) == len(b) && slices.Equal(a, b) {
		return nil
	}
	known := make(map[memory.Pointer]bool, len(b))
	for _, p := range b {
		known[p] = true
	}
	var out []memory.Pointer
	for _, p := range a {
		if !known[p] {
			out = append(out, p)
		}
	}
	return out
}

// First returns the first of objects, or nil.
func First(members []memory.Pointer) memory.Pointer {
	if len(members) == 0 {
		return nil
	}
	return members[0]
}

// Finder returns what tells whether an object is among these.
func Finder(members []memory.Pointer) func(m memory.Pointer) bool {
	if len(members) < 16 {
		return func(m memory.Pointer) bool { return slices.Contains(members, m) }
	}
	known := make(map[memory.Pointer]bool, len(members))
	for _, m := range members {
		known[m] = true
	}
	return func(m memory.Pointer) bool { return known[m] }
}

// SetLoaded makes what was read what a relation holds, but for what the program has
// put into it and taken out of it.
func (st *State) SetLoaded(r *mapping.Relation, read []memory.Pointer) {
	now, before := st.Members(r), st.Committed(r)
	l := st.committedOf(r)
	l.members, l.loaded = read, true
	if !r.Many() {
		if First(now) == First(before) || len(now) == 0 && r.Kind == mapping.BelongsTo {
			r.Set(st.Object, read)
		}
		return
	}
	in, out := Difference(now, before), Difference(before, now)
	held := append(slices.Clone(Difference(read, out)), Difference(in, read)...)
	r.Set(st.Object, held)
}
