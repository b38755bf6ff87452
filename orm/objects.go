package orm

import (
	"context"
	"fmt"
	"iter"

	"github.com/sessionproxy/sessionproxy/orm/internal/cascade"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// Add puts an object into the session, with the objects that its relations hold
// as far as cascade:save reaches: the next flush inserts them. An object that
// is already in the session stays; if it was marked by Delete, Add unmarks it
// and the objects marked with it. Add fails for an object whose row was deleted
// in this transaction. After a failed flush, added objects stay in the session
// until Rollback. For an object whose row exists, such as one from another
// session, see [Session.Attach].
func (s *Session) Add(obj any) error {
	if s.handler == nil {
		return s.add(obj)
	}
	return s.run(context.Background(), opAdd, func(context.Context) error { return s.add(obj) })
}

// AddAll is Add for each object in turn. It stops at the first error.
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
	if err := s.ensureTransaction(); err != nil && s.tx.failed == nil { // objects added meanwhile leave with the Rollback
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

// Attach puts an object into the session whose row exists with the object's
// values, such as one from a closed session. Nothing is sent, not even changes
// made while the object was in no session: see [Session.AttachChanged]. The
// objects of its relations are assumed to be those in the database, and have to
// be attached separately. If the session has another object with the same key,
// the error matches [ErrInvalidState].
func (s *Session) Attach(obj any) error { return s.attach(obj, obj) }

// AttachChanged is Attach for an object that was changed since its row was
// read: original is the row as it was read, in an object of the same type. The
// differences count as changes, which the next flush sends. If the row's
// version has changed since, that flush fails with a [*StaleDataError].
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

// Delete marks an object: the next flush deletes its row, and the objects that
// its relations hold as far as cascade:delete reaches. An object that has
// another owner by then stays: its pointer or foreign key was assigned, or
// another object's relation holds it. Remaining objects that refer to the
// deleted one have their references cleared. Both kinds are read now, unless
// they were read before or the relation is passive. If the object has no row,
// the error matches [ErrInvalidState]. Marking an object twice does nothing.
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

// Expunge removes an object from the session, with those that cascade:expunge
// reaches; their changes are not sent. If the object is not in the session, the
// error matches [ErrInvalidState].
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

// ExpungeAll removes all objects from the session. The transaction stays open.
func (s *Session) ExpungeAll() {
	_ = s.run(context.Background(), opExpungeAll, func(context.Context) error {
		s.detachAll()
		return nil
	})
}

// Expire makes the session read an object, and those that cascade:refresh
// reaches, again when it is next requested. Earlier changes of the object are
// not sent; later ones are. The fields keep their values, except that a changed
// key or version becomes that of the row again. If fields are named, only the
// changes of these are discarded. Expire returns an error matching
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

// IsExpired reports whether an object will be read again when it is next
// requested.
func (s *Session) IsExpired(obj any) bool {
	st, err := s.lookup(obj)
	return err == nil && st != nil && st.Expired
}

// IsModified reports whether an object of the session differs from its row as
// last seen.
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
