package orm

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	"github.com/sessionproxy/sessionproxy/orm/internal/flush"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// An object whose type has one of these methods, on its pointer, is asked by
// the session. They run on the goroutine that owns the session.
//
// Those that come before may change objects and add others to the session; the
// flush takes them along. An error of any of them fails the flush, or the read.
//
// Hooks of a flush may read through the session: what the flush has not sent
// yet is not seen by their queries. Flush, Commit and BeginNested are errors in
// them that match [ErrFlush]. One that ends the transaction, by Rollback or
// Close, or a savepoint, makes the flush such an error. AfterLoad may not use
// the session.
type (
	// BeforeInserter is asked before its row is inserted.
	BeforeInserter interface {
		// BeforeInsert is called before every INSERT of the object.
		BeforeInsert(ctx context.Context, s *Session) error
	}
	// BeforeUpdater is asked before its row is updated: the object, or one of
	// its relations, differs from what was read.
	BeforeUpdater interface {
		// BeforeUpdate is called before every UPDATE of the object.
		BeforeUpdate(ctx context.Context, s *Session) error
	}
	// BeforeDeleter is asked before its row is deleted.
	BeforeDeleter interface {
		// BeforeDelete is called before every DELETE of the object.
		BeforeDelete(ctx context.Context, s *Session) error
	}
	// AfterInserter is told after its row was inserted; the transaction is
	// still open. Values that the database has filled in are there.
	AfterInserter interface {
		// AfterInsert is called after every INSERT of the object.
		AfterInsert(ctx context.Context, s *Session) error
	}
	// AfterUpdater is told after its row was updated.
	AfterUpdater interface {
		// AfterUpdate is called after every UPDATE of the object.
		AfterUpdate(ctx context.Context, s *Session) error
	}
	// AfterDeleter is told after its row was deleted.
	AfterDeleter interface {
		// AfterDelete is called after every DELETE of the object.
		AfterDelete(ctx context.Context, s *Session) error
	}
	// AfterLoader is told when it was made of a row, or read again.
	AfterLoader interface {
		// AfterLoad is called whenever columns were read into the object.
		AfterLoad(ctx context.Context, s *Session) error
	}
)

// tableHooks tells which hooks the objects of a session have.
type tableHooks struct {
	before bool // some that come before a flush
	after  bool // some that come after it
}

// note notes the hooks of a table.
func (h *tableHooks) note(t *mapping.Table) {
	has := hooksOf(t)
	h.before, h.after = h.before || has.before(), h.after || has.after
}

// hooks are the methods of a type that the session calls.
type hooks struct{ beforeInsert, beforeUpdate, beforeDelete, after, load bool }

// before reports whether there is one that comes before a flush.
func (h hooks) before() bool { return h.beforeInsert || h.beforeUpdate || h.beforeDelete }

var allHooks sync.Map // of hooks, by table

func hooksOf(t *mapping.Table) hooks {
	if h, ok := allHooks.Load(t); ok {
		return h.(hooks)
	}
	p := reflect.PointerTo(t.Type)
	h := hooks{
		beforeInsert: p.Implements(reflect.TypeFor[BeforeInserter]()),
		beforeUpdate: p.Implements(reflect.TypeFor[BeforeUpdater]()),
		beforeDelete: p.Implements(reflect.TypeFor[BeforeDeleter]()),
		after: p.Implements(reflect.TypeFor[AfterInserter]()) || p.Implements(reflect.TypeFor[AfterUpdater]()) ||
			p.Implements(reflect.TypeFor[AfterDeleter]()),
		load: p.Implements(reflect.TypeFor[AfterLoader]()),
	}
	allHooks.Store(t, h)
	return h
}

// hooked calls a hook. One that ends the transaction ends the flush.
func (s *Session) hooked(t *mapping.Table, call func() error) error {
	ended := s.ended
	err := call()
	if err == nil && s.ended != ended {
		err = fmt.Errorf("%w: a hook has ended the transaction", ErrFlush)
	}
	if err != nil {
		return fmt.Errorf("orm: flush: hook of %s: %w", t.FullName(), err)
	}
	return nil
}

// hasBefore reports whether an object has a hook for what the next flush does.
func hasBefore(st *identity.State) bool {
	h := hooksOf(st.Table)
	switch {
	case st.Discarded():
		return false
	case st.Status == identity.Pending:
		return h.beforeInsert
	case st.Status == identity.Deleted:
		return false
	case st.Marked:
		return h.beforeDelete
	default:
		return h.beforeUpdate && st.Modified()
	}
}

func callBefore(ctx context.Context, s *Session, st *identity.State) error {
	switch obj := st.Value(); {
	case st.Status == identity.Pending:
		return obj.(BeforeInserter).BeforeInsert(ctx, s)
	case st.Marked:
		return obj.(BeforeDeleter).BeforeDelete(ctx, s)
	default:
		return obj.(BeforeUpdater).BeforeUpdate(ctx, s)
	}
}

func callAfter(ctx context.Context, s *Session, st *identity.State, kind flush.Kind) error {
	obj := st.Value()
	switch kind { //nolint:exhaustive // only these are given
	case flush.Insert:
		if h, ok := obj.(AfterInserter); ok {
			return h.AfterInsert(ctx, s)
		}
	case flush.Update:
		if h, ok := obj.(AfterUpdater); ok {
			return h.AfterUpdate(ctx, s)
		}
	case flush.Delete:
		if h, ok := obj.(AfterDeleter); ok {
			return h.AfterDelete(ctx, s)
		}
	}
	return nil
}

// afterLoad tells an object that it was read.
func (s *Session) afterLoad(ctx context.Context, st *identity.State) error {
	if !hooksOf(st.Table).load {
		return nil
	}
	if err := st.Value().(AfterLoader).AfterLoad(ctx, s); err != nil {
		return fmt.Errorf("orm: load from %s: %w", st.Table.FullName(), err)
	}
	return nil
}
