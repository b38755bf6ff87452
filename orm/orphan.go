package orm

import (
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// orphans are the pending objects that go when nobody owns them any more.
type orphans struct {
	pending []*state // held by what owns them when they were last seen
}

// track notes pending objects that a relation holds which owns them.
func (o *orphans) track(m *objects, members []unsafe.Pointer) {
	for _, p := range members {
		if st := m.at(p); st != nil && st.status == pending && !st.tracked {
			st.tracked = true
			o.pending = append(o.pending, st)
		}
	}
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
	obj unsafe.Pointer
}

// mark marks what was taken out of a relation that owns it, and is not owned
// by another object. What was not yet inserted leaves the session.
func (o *orphans) mark(m *objects) (marked []*state) {
	if !m.owning {
		return nil
	}
	held := owners{}
	var lost []loss
	for _, st := range m.sorted(func(st *state) bool { return st.related() || st.marked && st.status == persistent }) {
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
			for _, p := range difference(st.linked(r), now) {
				lost = append(lost, loss{mark{owner: st, r: r, orphan: true}, p})
			}
		}
	}
	for _, l := range lost {
		st := m.at(l.obj)
		if st != nil && st.status == persistent && !st.marked && !held.has(l) && !hasLeft(l.mark, st) {
			m.imply(st, l.mark)
			marked = append(marked, st)
		}
	}
	o.pending = slices.DeleteFunc(o.pending, func(st *state) bool { return st.status != pending || st.dropped })
	for _, st := range o.pending {
		if !st.marked && !held.have(st) {
			m.imply(st, mark{orphan: true})
		}
	}
	return marked
}

// has reports whether another object owns what one has lost.
func (o owners) has(l loss) bool {
	to := o[l.r.Remote[0]]
	return to != nil && to.held[l.obj]
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
