package orm

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	sp "github.com/sessionproxy/sessionproxy"
)

// Add puts an object into the session: it is inserted by the next flush. An
// object that is in the session stays; one that was marked by Delete is not
// deleted after all. An object whose row was deleted in this transaction can't
// be added. For an object whose row exists, such as one of another session, see
// [Session.Attach].
func (s *Session) Add(obj any) error {
	return s.run(context.Background(), sp.OpSessionAdd, func(context.Context) error { return s.add(obj) })
}

// AddAll is Add for each object in turn. The first error ends it.
func (s *Session) AddAll(objs ...any) error {
	return s.run(context.Background(), sp.OpSessionAddAll, func(context.Context) error {
		for i, obj := range objs {
			if err := s.add(obj); err != nil {
				return fmt.Errorf("object %d: %w", i, err)
			}
		}
		return nil
	})
}

func (s *Session) add(obj any) error {
	t, p, err := entity(obj)
	if err != nil {
		return err
	}
	if err := s.begun(); err != nil {
		return err
	}
	if st := s.objects.states[p]; st != nil {
		if st.status == deleted {
			return invalid("add: its row of %s was deleted in this transaction", t.FullName())
		}
		st.marked = false
		return nil
	}
	st := &state{table: t, obj: p, status: pending}
	s.objects.add(st)
	s.tx.added[st] = undo{}
	return nil
}

// Attach puts an object into the session whose row exists as the object says,
// such as one of a session that was closed. Nothing is sent. If the session has
// another object of the same key, it is an error.
func (s *Session) Attach(obj any) error {
	return s.run(context.Background(), sp.OpSessionAdd, func(context.Context) error {
		t, p, err := entity(obj)
		if err != nil {
			return err
		}
		if s.objects.states[p] != nil {
			return nil
		}
		if keyIsZero(t, p) {
			return invalid("attach: the object of %s has no key", t.FullName())
		}
		id := identityOf(t, p)
		if s.objects.find(t, id) != nil {
			return invalid("attach: the session has another object for the same row of %s", t.FullName())
		}
		st := &state{table: t, obj: p, status: persistent, snapshot: t.Snapshot(p)}
		s.objects.add(st)
		s.objects.identify(st, id)
		return nil
	})
}

// Delete marks an object: its row is deleted by the next flush. An object
// without a row is an error that matches [ErrInvalidState]. Marking twice does
// nothing.
func (s *Session) Delete(ctx context.Context, obj any) error {
	return s.run(ctx, sp.OpSessionDelete, func(context.Context) error {
		st, err := s.lookup(obj)
		if err != nil {
			return err
		}
		if err := s.begun(); err != nil {
			return err
		}
		if st == nil || st.status == pending {
			return invalid("delete: the object is not persistent")
		}
		st.marked = st.status == persistent
		return nil
	})
}

// Expunge takes an object out of the session: what was changed in it is not
// sent. An object that is not in it is an error that matches [ErrInvalidState].
func (s *Session) Expunge(obj any) error {
	return s.run(context.Background(), sp.OpSessionExpunge, func(context.Context) error {
		st, err := s.lookup(obj)
		if err != nil {
			return err
		}
		if st == nil || st.status == deleted {
			return invalid("expunge: the object is not in the session")
		}
		s.objects.remove(st)
		return nil
	})
}

// ExpungeAll takes all objects out of the session. The transaction stays open.
func (s *Session) ExpungeAll() {
	_ = s.run(context.Background(), sp.OpSessionExpungeAll, func(context.Context) error {
		s.objects = newObjects()
		return nil
	})
}

// Expire makes the session read an object again when it is asked for it. Changes
// made to the object until now are not sent; those made from now on are. The
// fields keep their values. An object that is not persistent is an error that
// matches [ErrInvalidState].
func (s *Session) Expire(obj any) error {
	return s.run(context.Background(), sp.OpSessionExpire, func(context.Context) error {
		st, err := s.lookup(obj)
		if err != nil {
			return err
		}
		if st == nil || st.status != persistent {
			return invalid("expire: the object is not persistent")
		}
		s.expire(st)
		return nil
	})
}

// ExpireAll is Expire for every persistent object.
func (s *Session) ExpireAll() {
	_ = s.run(context.Background(), sp.OpSessionExpireAll, func(context.Context) error {
		s.expireAll()
		return nil
	})
}

func (s *Session) expireAll() {
	for _, st := range s.objects.states {
		if st.status == persistent {
			s.expire(st)
		}
	}
}

// expire makes what the object says now the baseline of what is a change.
func (s *Session) expire(st *state) {
	st.table.CopyAll(st.snapshot, st.obj)
	st.expired = true
}

// IsExpired reports whether an object will be read again when it is asked for.
func (s *Session) IsExpired(obj any) bool {
	st, err := s.lookup(obj)
	return err == nil && st != nil && st.expired
}

// IsModified reports whether an object of the session differs from its row as
// it was last seen.
func (s *Session) IsModified(obj any) (modified bool) {
	_ = s.run(context.Background(), sp.OpSessionIsModified, func(context.Context) error {
		st, err := s.lookup(obj)
		modified = err == nil && st != nil && st.modified(nil)
		return nil
	})
	return modified
}

// Contains reports whether an object is in the session: pending or persistent.
func (s *Session) Contains(obj any) bool {
	st, err := s.lookup(obj)
	return err == nil && st != nil && st.status != deleted
}

// New returns the objects that the next flush will insert, in the order in
// which they were added.
func (s *Session) New() iter.Seq[any] {
	return s.those(func(st *state) bool { return st.status == pending })
}

// Dirty returns the persistent objects that were changed.
func (s *Session) Dirty() iter.Seq[any] {
	return s.those(func(st *state) bool { return !st.marked && st.modified(nil) })
}

// Deleted returns the objects whose rows the next flush will delete.
func (s *Session) Deleted() iter.Seq[any] {
	return s.those(func(st *state) bool { return st.marked })
}

func (s *Session) those(which func(st *state) bool) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, st := range s.objects.sorted(which) {
			if !yield(st.object()) {
				return
			}
		}
	}
}

// sorted returns the states that are wanted, in the order of their addition.
func (o *objects) sorted(which func(st *state) bool) []*state {
	var out []*state
	for _, st := range o.states {
		if which(st) {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b *state) int { return cmp.Compare(a.order, b.order) })
	return out
}
