package cascade

import (
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Orphans are the pending objects that go when nobody owns them any more.
type Orphans struct {
	pending []*identity.State // held by what owns them when they were last seen
}

// track notes pending objects that a relation holds which owns them.
func (o *Orphans) track(m *identity.Map, members []memory.Pointer) {
	for _, p := range members {
		if st := m.At(p); st != nil && st.Status == identity.Pending && !st.Tracked {
			st.Tracked = true
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
	held map[memory.Pointer]bool
}

// loss is what was taken out of such a relation.
type loss struct {
	identity.Mark
	obj memory.Pointer
}

// Mark marks what was taken out of a relation that owns it, and is not owned
// by another object. What was not yet inserted leaves the session.
func (o *Orphans) Mark(m *identity.Map) (marked []*identity.State) {
	if !m.Owning {
		return nil
	}
	held := owners{}
	var lost []loss
	for _, st := range m.Sorted(func(st *identity.State) bool { return st.Related() || st.Marked && st.Status == identity.Persistent }) {
		for _, r := range st.Table.Relations() {
			if r.Kind != mapping.HasOne && r.Kind != mapping.HasMany {
				continue
			}
			now := st.Members(r)
			if !st.Marked {
				held.note(r, now)
			}
			if r.Cascade&mapping.CascadeOrphan == 0 {
				continue
			}
			for _, p := range identity.Difference(st.Committed(r), now) {
				lost = append(lost, loss{identity.Mark{Owner: st, R: r, Orphan: true}, p})
			}
		}
	}
	for _, l := range lost {
		st := m.At(l.obj)
		if st != nil && st.Status == identity.Persistent && !st.Marked && !held.has(l) && !hasLeft(l.Mark, st) {
			m.MarkWith(st, l.Mark)
			marked = append(marked, st)
		}
	}
	o.pending = slices.DeleteFunc(o.pending, func(st *identity.State) bool { return st.Status != identity.Pending || st.Dropped })
	for _, st := range o.pending {
		if !st.Marked && !held.have(st) {
			m.MarkWith(st, identity.Mark{Orphan: true})
		}
	}
	return marked
}

// has reports whether another object owns what one has lost.
func (o owners) has(l loss) bool {
	to := o[l.R.Remote[0]]
	return to != nil && to.held[l.obj]
}

// note notes what a relation holds.
func (o owners) note(r *mapping.Relation, members []memory.Pointer) {
	to := o[r.Remote[0]]
	if to == nil {
		to = &owned{held: map[memory.Pointer]bool{}}
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
func (o owners) have(st *identity.State) bool {
	for _, to := range o {
		if to.r.Other != st.Table || to.r.Cascade&mapping.CascadeOrphan == 0 {
			continue
		}
		points := func(b *mapping.Relation) bool {
			return b.Kind == mapping.BelongsTo && slices.Equal(b.Local, to.r.Remote) && !b.Nil(st.Object)
		}
		if to.held[st.Object] || st.Assigned(to.r.Remote) || slices.ContainsFunc(st.Table.Relations(), points) {
			return true
		}
	}
	return false
}
