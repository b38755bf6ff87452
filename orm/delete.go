package orm

import (
	"context"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// relationLoader reads what a relation of an object holds.
type relationLoader func(ctx context.Context, r *mapping.Relation, st *state) error

// deleteWith marks an object, and those that go with it.
//
// load reads what a relation of an object holds.
func deleteWith(ctx context.Context, m *objects, st *state, load relationLoader) error {
	m.mark(st)
	for _, r := range st.table.Relations() {
		goes := r.Cascade&mapping.CascadeDelete != 0
		refers := r.Kind == mapping.HasOne || r.Kind == mapping.HasMany
		if !r.Passive && (goes || refers) && !st.loaded(r) {
			if err := load(ctx, r, st); err != nil {
				return err
			}
		}
		if !goes {
			continue
		}
		now := st.members(r)
		for _, p := range slices.Concat(now, difference(st.linked(r), now)) {
			if err := deleteMember(ctx, m, p, mark{owner: st, r: r}, load); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteMember marks what an object that is to be deleted holds, or held. What was
// not yet inserted leaves the session with the next flush.
func deleteMember(ctx context.Context, m *objects, p unsafe.Pointer, why mark, load relationLoader) error {
	st := m.at(p)
	if st == nil || st.marked || st.status == deleted || hasLeft(why, st) {
		return nil
	}
	m.imply(st, why)
	if st.status == pending {
		return nil
	}
	return deleteWith(ctx, m, st, load)
}

// hasLeft reports whether an object says itself that its owner has it no more: its
// pointer or its foreign key was assigned, or it was taken out of the relation
// and refers to another.
func hasLeft(m mark, st *state) bool {
	if m.r.Kind == mapping.ManyToMany {
		return false
	}
	for _, b := range st.table.Relations() {
		if b.Kind != mapping.BelongsTo || !slices.Equal(b.Local, m.r.Remote) {
			continue
		}
		if to := first(st.members(b)); to != nil && to != m.owner.obj && to != first(st.linked(b)) {
			return true
		}
	}
	if st.status == pending && !st.assigned(m.r.Remote) || m.owner.status == pending {
		return false
	}
	return !st.refersTo(m.r, m.owner) && (st.assigned(m.r.Remote) || !slices.Contains(m.owner.members(m.r), st.obj))
}

// refersTo reports whether an object has the foreign key of a relation's owner.
func (st *state) refersTo(r *mapping.Relation, owner *state) bool {
	for i, c := range r.Remote {
		if !c.RefersTo(st.obj, r.Local[i], owner.obj) {
			return false
		}
	}
	return true
}

// sameOwner reports whether two relations say by the same columns whose an
// object is.
func sameOwner(a, b *mapping.Relation) bool {
	return a == b || a.Kind != mapping.ManyToMany && b.Kind != mapping.ManyToMany && a.Kind != mapping.BelongsTo && b.Kind != mapping.BelongsTo &&
		a.Other == b.Other && slices.Equal(a.Remote, b.Remote)
}

// reconsider takes back the marks of objects that have come to another owner
// since they were marked, and of all orphans, which are looked for anew.
func reconsider(o *objects) {
	if len(o.implied) == 0 {
		return
	}
	o.unmark(o.impliedBy(func(_ *state, m mark) bool { return m.orphan })...)
	for again := true; again && len(o.implied) > 0; {
		o.unmark(o.impliedBy(func(st *state, m mark) bool { return hasLeft(m, st) })...)
		var adopted []*state
		for st := range o.all() {
			if st.status != deleted && !st.marked {
				adopted = appendAdopted(adopted, o, st)
			}
		}
		o.unmark(adopted...)
		again = len(adopted) > 0
	}
}

// appendAdopted appends the marked objects that st has now.
func appendAdopted(dst []*state, o *objects, st *state) []*state {
	for _, r := range st.table.Relations() {
		if r.Kind == mapping.BelongsTo {
			continue
		}
		for _, p := range st.members(r) {
			child := o.at(p)
			if child == nil || !child.marked {
				continue
			}
			m, implied := o.implied[child]
			if !implied || !sameOwner(m.r, r) || m.owner == st {
				continue
			}
			// What both hold went to the one that came to hold it last.
			if !slices.Contains(st.linked(r), p) || !slices.Contains(m.owner.members(m.r), p) {
				dst = append(dst, child)
			}
		}
	}
	return dst
}
