package cascade

import (
	"context"
	"slices"

	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Loader reads what a relation of an object holds.
type Loader func(ctx context.Context, r *mapping.Relation, st *identity.State) error

// Delete marks an object, and those that go with it.
//
// load reads what a relation of an object holds.
func Delete(ctx context.Context, m *identity.Map, st *identity.State, load Loader) error {
	m.Mark(st)
	for _, r := range st.Table.Relations() {
		goes := r.Cascade&mapping.CascadeDelete != 0
		refers := r.Kind == mapping.HasOne || r.Kind == mapping.HasMany
		if !r.Passive && (goes || refers) && !st.Loaded(r) {
			if err := load(ctx, r, st); err != nil {
				return err
			}
		}
		if !goes {
			continue
		}
		now := st.Members(r)
		for _, p := range slices.Concat(now, identity.Difference(st.Committed(r), now)) {
			if err := deleteMember(ctx, m, p, identity.Mark{Owner: st, R: r}, load); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteMember marks what an object that is to be deleted holds, or held. What was
// not yet inserted leaves the session with the next flush.
func deleteMember(ctx context.Context, m *identity.Map, p memory.Pointer, why identity.Mark, load Loader) error {
	st := m.At(p)
	if st == nil || st.Marked || st.Status == identity.Deleted || hasLeft(why, st) {
		return nil
	}
	m.MarkWith(st, why)
	if st.Status == identity.Pending {
		return nil
	}
	return Delete(ctx, m, st, load)
}

// hasLeft reports whether an object says itself that its owner has it no more: its
// pointer or its foreign key was assigned, or it was taken out of the relation
// and refers to another.
func hasLeft(m identity.Mark, st *identity.State) bool {
	if m.R.Kind == mapping.ManyToMany {
		return false
	}
	for _, b := range st.Table.Relations() {
		if b.Kind != mapping.BelongsTo || !slices.Equal(b.Local, m.R.Remote) {
			continue
		}
		if to := identity.First(st.Members(b)); to != nil && to != m.Owner.Object && to != identity.First(st.Committed(b)) {
			return true
		}
	}
	if m.Owner.Status == identity.Pending {
		return false
	}
	if st.Contradicts(m.R.Remote, m.R.Local, m.Owner.Object) && st.Contradicts(m.R.Remote, m.R.Local, m.Owner.Snapshot) {
		return true
	}
	return st.Status != identity.Pending && !st.RefersTo(m.R, m.Owner, st.Object) && !slices.Contains(m.Owner.Members(m.R), st.Object)
}

// sameOwner reports whether two relations say by the same columns whose an
// object is.
func sameOwner(a, b *mapping.Relation) bool {
	return a == b || a.Kind != mapping.ManyToMany && b.Kind != mapping.ManyToMany && a.Kind != mapping.BelongsTo && b.Kind != mapping.BelongsTo &&
		a.Other == b.Other && slices.Equal(a.Remote, b.Remote)
}

// Reconsider takes back the marks of objects that have come to another owner
// since they were marked, and of all orphans, which are looked for anew.
func Reconsider(o *identity.Map) {
	if len(o.Implied) == 0 {
		return
	}
	o.Unmark(o.MarkedWith(func(_ *identity.State, m identity.Mark) bool { return m.Orphan })...)
	for again := true; again && len(o.Implied) > 0; {
		o.Unmark(o.MarkedWith(func(st *identity.State, m identity.Mark) bool { return hasLeft(m, st) })...)
		var adopted []*identity.State
		for st := range o.All() {
			if st.Status != identity.Deleted && !st.Marked {
				adopted = appendAdopted(adopted, o, st)
			}
		}
		o.Unmark(adopted...)
		again = len(adopted) > 0
	}
}

// appendAdopted appends the marked objects that st has now.
func appendAdopted(dst []*identity.State, o *identity.Map, st *identity.State) []*identity.State {
	for _, r := range st.Table.Relations() {
		if r.Kind == mapping.BelongsTo {
			continue
		}
		for _, p := range st.Members(r) {
			child := o.At(p)
			if child == nil || !child.Marked {
				continue
			}
			m, implied := o.Implied[child]
			if !implied || !sameOwner(m.R, r) || m.Owner == st {
				continue
			}
			// What both hold went to the one that came to hold it last.
			if !slices.Contains(st.Committed(r), p) || !slices.Contains(m.Owner.Members(m.R), p) {
				dst = append(dst, child)
			}
		}
	}
	return dst
}
