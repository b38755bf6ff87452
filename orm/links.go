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

// enlist puts an object into the session, to be inserted.
func (s *Session) enlist(t *mapping.Table, obj unsafe.Pointer) *state {
	st := &state{table: t, obj: obj, status: pending}
	s.objects.add(st)
	s.tx.add(st)
	return st
}

// cascade adds what the relations of an object hold, and what the relations of
// these hold, as far as they cascade.
func (s *Session) cascade(st *state) {
	for _, r := range st.table.Relations() {
		if r.Cascade&mapping.CascadeSave == 0 {
			continue
		}
		now := st.members(r)
		if st.status != pending {
			now = difference(now, st.linked(r))
		}
		for _, m := range now {
			if s.objects.at(m) == nil {
				s.cascade(s.enlist(r.Other, m))
			}
		}
		if r.Cascade&mapping.CascadeOrphan != 0 {
			s.objects.foster(now)
		}
	}
}

// cascadeAll is cascade for every object, before a flush: members may have been
// assigned since they were added.
func (s *Session) cascadeAll() error {
	for _, st := range s.objects.sorted(related) {
		if err := s.begunFor(st); err != nil {
			return err
		}
		s.cascade(st)
	}
	return nil
}

// related reports whether an object of the session has relations that a flush
// looks at.
func related(st *state) bool {
	return st.status != deleted && !st.marked && len(st.table.Relations()) > 0
}

// begunFor makes sure that there is a transaction if an object's relations were
// changed.
func (s *Session) begunFor(st *state) error {
	if s.tx != nil || !st.relationsModified() {
		return nil
	}
	return s.begun()
}

// owners tells what relations hold that own it, by the column that says whose
// it is.
type owners map[*mapping.Column]*owned

// owned is what has an owner by such a column.
type owned struct {
	r    *mapping.Relation
	held map[unsafe.Pointer]bool
}

// loss is what was taken out of such a relation.
type loss struct {
	mark
	m unsafe.Pointer
}

// orphans marks what was taken out of a relation that owns it, and is not owned
// by another object. What was not yet inserted leaves the session.
func (s *Session) orphans() (marked []*state) {
	if !s.objects.owning {
		return nil
	}
	held := owners{}
	var lost []loss
	for _, st := range s.objects.sorted(func(st *state) bool { return related(st) || st.marked && st.status == persistent }) {
		for _, r := range st.table.Relations() {
			if r.Kind != mapping.HasOne && r.Kind != mapping.HasMany {
				continue
			}
			now := st.members(r)
			if !st.marked {
				held.note(r, now)
			}
			if r.Cascade&mapping.CascadeOrphan == 0 {
				continue
			}
			for _, m := range difference(st.linked(r), now) {
				lost = append(lost, loss{mark{owner: st, r: r, orphan: true}, m})
			}
		}
	}
	for _, l := range lost {
		st := s.objects.at(l.m)
		if st != nil && st.status == persistent && !st.marked && !held.has(l) && !l.gone(st) {
			s.objects.imply(st, l.mark)
			marked = append(marked, st)
		}
	}
	s.objects.fostered = slices.DeleteFunc(s.objects.fostered, func(st *state) bool { return st.status != pending || st.dropped })
	for _, st := range s.objects.fostered {
		if !st.marked && !held.have(st) {
			s.objects.imply(st, mark{orphan: true})
		}
	}
	return marked
}

// has reports whether another object owns what one has lost.
func (o owners) has(l loss) bool {
	to := o[l.r.Remote[0]]
	return to != nil && to.held[l.m]
}

// note notes what a relation holds.
func (o owners) note(r *mapping.Relation, members []unsafe.Pointer) {
	to := o[r.Remote[0]]
	if to == nil {
		to = &owned{held: map[unsafe.Pointer]bool{}}
		o[r.Remote[0]] = to
	}
	if to.r == nil || r.Cascade&mapping.CascadeOrphan != 0 {
		to.r = r
	}
	for _, m := range members {
		to.held[m] = true
	}
}

// have reports whether a pending object is owned, or says by itself whose it
// is.
func (o owners) have(st *state) bool {
	for _, to := range o {
		if to.r.Other != st.table || to.r.Cascade&mapping.CascadeOrphan == 0 {
			continue
		}
		points := func(b *mapping.Relation) bool {
			return b.Kind == mapping.BelongsTo && slices.Equal(b.Local, to.r.Remote) && !b.Nil(st.obj)
		}
		if to.held[st.obj] || st.assigned(to.r.Remote) || slices.ContainsFunc(st.table.Relations(), points) {
			return true
		}
	}
	return false
}
