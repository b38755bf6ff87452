package orm

import (
	"context"
	"fmt"
	"iter"

	"github.com/sessionproxy/sessionproxy/orm/internal/cascade"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// Add puts an object into the session, with those that its relations hold and
// cascade:save goes to: they are inserted by the next flush. An object that is
// in the session stays; one that was marked by Delete is not deleted after all,
// nor is what would have gone with it.
// An object whose row was deleted in this transaction can't be added. After a
// flush that failed, what is added is in the session until Rollback. For an
// object whose row exists, such as one of another session, see [Session.Attach].
func (s *Session) Add(obj any) error {
	if s.handler == nil {
		return s.add(obj)
	}
	return s.run(context.Background(), opAdd, func(context.Context) error { return s.add(obj) })
}

// AddAll is Add for each object in turn. The first error ends it.
func (s *Session) AddAll(objs ...any) error {
	return s.run(context.Background(), opAddAll, func(context.Context) error {
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
	if err := s.ensureTransaction(); err != nil && s.tx.failed == nil { // what is added meanwhile goes with the Rollback
		return err
	}
	if st := s.objects.At(p); st != nil {
		if st.Status == identity.Deleted {
			return identity.Invalid("add: its row of %s was deleted in this transaction", t.FullName())
		}
		if st.Marked {
			s.objects.Unmark(st)
		}
		s.orphans.Save(s.objects, s.tx.journal(), st)
		return nil
	}
	j := s.tx.journal()
	s.orphans.Save(s.objects, j, s.objects.AddPending(j, t, p))
	return nil
}

// Attach puts an object into the session whose row exists as the object says,
// such as one of a session that was closed. Nothing is sent, nor is what was
// changed while the object was in no session: see [Session.AttachChanged]. What
// its relations hold counts as what is in the database, and is to be attached by
// itself. If the session has another object of the same key, it is an error that
// matches [ErrInvalidState].
func (s *Session) Attach(obj any) error { return s.attach(obj, obj) }

// AttachChanged is Attach for an object that was changed since its row was read:
// original is the row as it was read, in an object of the same type. What differs
// from it is a change, and is sent by the next flush. A version that has moved on
// since makes that a [*StaleDataError].
func (s *Session) AttachChanged(obj, original any) error { return s.attach(obj, original) }

func (s *Session) attach(obj, original any) error {
	return s.run(context.Background(), opAdd, func(context.Context) error {
		t, p, err := entity(obj)
		if err != nil {
			return err
		}
		of, row, err := entity(original)
		if err != nil {
			return err
		}
		if of != t {
			return fmt.Errorf("orm: attach: the original of %s is a %T", t.FullName(), original)
		}
		if s.objects.At(p) != nil {
			return nil
		}
		if identity.KeyIsZero(t, row) {
			return identity.Invalid("attach: the object of %s has no key", t.FullName())
		}
		id := identity.KeyOf(t, row)
		if s.objects.Find(t, id) != nil {
			return identity.Invalid("attach: the session has another object for the same row of %s", t.FullName())
		}
		s.objects.AddPersistent(t, p, t.Snapshot(row), id).Commit(false)
		return nil
	})
}

// Delete marks an object: its row is deleted by the next flush, with those that
// its relations hold and cascade:delete goes to. What has another owner by then
// stays: its pointer or foreign key was assigned, or another object's relation
// has taken it in. Objects that refer to the deleted one and stay are made to
// refer to nothing. Both are read now, unless they were or the relation is
// passive. An object without a row is an error that matches [ErrInvalidState].
// Marking twice does nothing.
func (s *Session) Delete(ctx context.Context, obj any) error {
	_, err := do(ctx, s.Tasks().Delete(obj))
	return err
}

// Delete is [Session.Delete].
func (t Tasks) Delete(obj any) *Task[struct{}] {
	s := t.s
	var st *identity.State
	task := indivisible(s, opDelete, noResult(func(ctx context.Context) error {
		if st.Status == identity.Deleted {
			return nil
		}
		s.objects.MarkAlone(st)
		if st.Marked {
			return nil
		}
		return cascade.Delete(ctx, s.objects, st, s.loadRelation)
	}))
	task.plan = func(context.Context) (err error) {
		if st, err = s.lookup(obj); err != nil {
			return err
		}
		if err = s.ensureTransaction(); err != nil {
			return err
		}
		if st == nil || st.Status == identity.Pending {
			return identity.Invalid("delete: the object is not persistent")
		}
		task.local = len(st.Table.Relations()) == 0
		return nil
	}
	return task
}

// Expunge takes an object out of the session, with those that cascade:expunge
// goes to: what was changed in it is not sent. An object that is not in it is an
// error that matches [ErrInvalidState].
func (s *Session) Expunge(obj any) error {
	return s.run(context.Background(), opExpunge, func(context.Context) error {
		st, err := s.lookup(obj)
		if err != nil {
			return err
		}
		if st == nil || st.Status == identity.Deleted {
			return identity.Invalid("expunge: the object is not in the session")
		}
		cascade.Expunge(s.objects, st)
		return nil
	})
}

// ExpungeAll takes all objects out of the session. The transaction stays open.
func (s *Session) ExpungeAll() {
	_ = s.run(context.Background(), opExpungeAll, func(context.Context) error {
		s.letGo()
		return nil
	})
}

// Expire makes the session read an object again when it is asked for it, with
// those that cascade:refresh goes to. Changes made to the object until now are
// not sent; those made from now on are. The fields keep their values, but for a
// key or a version that was changed: it is that of the row again. If fields are
// named, only changes of these are forgotten. Expire returns an error matching
// [ErrInvalidState] if the object is not persistent or has no such field.
func (s *Session) Expire(obj any, fields ...string) error {
	return s.run(context.Background(), opExpire, func(context.Context) error {
		st, err := s.lookup(obj)
		if err != nil {
			return err
		}
		if st == nil || st.Status != identity.Persistent {
			return identity.Invalid("expire: the object is not persistent")
		}
		if len(fields) > 0 {
			return st.ExpireFields(fields)
		}
		cascade.Expire(s.objects, st)
		return nil
	})
}

// ExpireAll is Expire for every persistent object.
func (s *Session) ExpireAll() {
	_ = s.run(context.Background(), opExpireAll, func(context.Context) error {
		s.objects.ExpireAll()
		return nil
	})
}

// IsExpired reports whether an object will be read again when it is asked for.
func (s *Session) IsExpired(obj any) bool {
	st, err := s.lookup(obj)
	return err == nil && st != nil && st.Expired
}

// IsModified reports whether an object of the session differs from its row as
// it was last seen.
func (s *Session) IsModified(obj any) (modified bool) {
	_ = s.run(context.Background(), opIsModified, func(context.Context) error {
		st, err := s.lookup(obj)
		modified = err == nil && st != nil && st.Modified()
		return nil
	})
	return modified
}

// Contains reports whether an object is in the session: pending or persistent.
func (s *Session) Contains(obj any) bool {
	st, err := s.lookup(obj)
	return err == nil && st != nil && st.Status != identity.Deleted && !st.Discarded()
}

// New returns the objects that the next flush will insert, in the order in
// which they were added.
func (s *Session) New() iter.Seq[any] {
	return s.those(func(st *identity.State) bool { return st.Status == identity.Pending && !st.Marked })
}

// Dirty returns the persistent objects that were changed.
func (s *Session) Dirty() iter.Seq[any] {
	return s.those(func(st *identity.State) bool { return !st.Marked && st.Modified() })
}

// Deleted returns the objects whose rows the next flush will delete.
func (s *Session) Deleted() iter.Seq[any] {
	return s.those(func(st *identity.State) bool { return st.Marked && st.Status == identity.Persistent })
}

func (s *Session) those(which func(st *identity.State) bool) iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, st := range s.objects.Sorted(which) {
			if !yield(st.Value()) {
				return
			}
		}
	}
}
