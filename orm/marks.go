package orm

import (
	"context"
	"slices"
	"unsafe"

	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// mark is why an object is marked that was not deleted by itself. It is taken
// back if that no longer holds when the flush comes.
type mark struct {
	owner  *state // it goes with this one; nil: nobody has it
	r      *mapping.Relation
	orphan bool // it was taken out of r
}

// imply marks an object that goes with another. A pending one stays until a
// flush is planned, so that another one that holds it does not add it again.
func (o *objects) imply(st *state, m mark) {
	st.marked = true
	if o.implied == nil {
		o.implied = map[*state]mark{}
	}
	o.implied[st] = m
}

// unmark takes marks back, with those of the objects that would have gone with
// them.
func (o *objects) unmark(states ...*state) {
	if len(states) == 0 {
		return
	}
	with := map[*state][]*state{}
	for other, m := range o.implied {
		if m.owner != nil {
			with[m.owner] = append(with[m.owner], other)
		}
	}
	for queue := states; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		next.marked = false
		delete(o.implied, next)
		queue = append(queue, with[next]...)
		delete(with, next)
	}
}

// bury lets go of pending objects that went with what held them. It reports
// whether there were any.
func (o *objects) bury() (found bool) {
	for st := range o.implied {
		if st.doomed() {
			o.remove(st)
			st.in = nil
			found = true
		}
	}
	return found
}

// markAll marks an object, and those that go with it.
func (s *Session) markAll(ctx context.Context, st *state) error {
	st.marked = true
	for _, r := range st.table.Relations() {
		goes := r.Cascade&mapping.CascadeDelete != 0
		refers := r.Kind == mapping.HasOne || r.Kind == mapping.HasMany
		if !r.Passive && (goes || refers) && !st.loaded(r) {
			if _, err := s.loadRelated(ctx, r, []*state{st}); err != nil {
				return err
			}
		}
		if !goes {
			continue
		}
		now := st.members(r)
		for _, m := range slices.Concat(now, difference(st.linked(r), now)) {
			if err := s.markMember(ctx, m, mark{owner: st, r: r}); err != nil {
				return err
			}
		}
	}
	return nil
}

// markMember marks what an object that is to be deleted holds, or held. What was
// not yet inserted leaves the session with the next flush.
func (s *Session) markMember(ctx context.Context, m unsafe.Pointer, why mark) error {
	st := s.objects.at(m)
	if st == nil || st.marked || st.status == deleted || why.gone(st) {
		return nil
	}
	s.objects.imply(st, why)
	if st.status == pending {
		return nil
	}
	return s.markAll(ctx, st)
}

// gone reports whether an object says itself that its owner has it no more: its
// pointer or its foreign key was assigned, or it was taken out of the relation
// and refers to another.
func (m mark) gone(st *state) bool {
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
func (o *objects) reconsider() {
	if len(o.implied) == 0 {
		return
	}
	o.unmark(o.impliedBy(func(_ *state, m mark) bool { return m.orphan })...)
	for again := true; again && len(o.implied) > 0; {
		o.unmark(o.impliedBy(func(st *state, m mark) bool { return m.gone(st) })...)
		var adopted []*state
		for st := range o.all() {
			if st.status != deleted && !st.marked {
				adopted = o.appendAdopted(adopted, st)
			}
		}
		o.unmark(adopted...)
		again = len(adopted) > 0
	}
}

// impliedBy returns the objects whose marks are such.
func (o *objects) impliedBy(such func(st *state, m mark) bool) (out []*state) {
	for st, m := range o.implied {
		if such(st, m) {
			out = append(out, st)
		}
	}
	return out
}

// appendAdopted appends the marked objects that st has now.
func (o *objects) appendAdopted(dst []*state, st *state) []*state {
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
