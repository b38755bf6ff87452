package orm

import (
	"context"
	"fmt"
	"reflect"
	"sync"

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

// rounds is how often hooks may find that other hooks have made changes.
const rounds = 100

// before brings the relations' objects into the session and calls the hooks
// that come before a flush, until none is left.
func (s *Session) before(ctx context.Context) error {
	var called map[*state]bool
	defer s.hold()()
	for range rounds {
		if s.objects.related {
			if err := s.prepare(ctx); err != nil {
				return err
			}
		}
		if !s.hooks.before {
			return nil
		}
		if called == nil {
			called = map[*state]bool{}
		}
		again := false
		for _, st := range s.objects.sorted(func(st *state) bool { return !called[st] && hasBefore(st) }) {
			called[st] = true
			again = true
			if st.dropped { // another hook has let it go
				continue
			}
			if err := s.hooked(st.table, func() error { return callBefore(ctx, s, st) }); err != nil {
				return err
			}
		}
		if !again {
			return nil
		}
	}
	return fmt.Errorf("%w: hooks have made changes %d times, one after the other", ErrFlush, rounds)
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
func hasBefore(st *state) bool {
	h := hooksOf(st.table)
	switch {
	case st.doomed():
		return false
	case st.status == pending:
		return h.beforeInsert
	case st.status == deleted:
		return false
	case st.marked:
		return h.beforeDelete
	default:
		return h.beforeUpdate && st.modified()
	}
}

func callBefore(ctx context.Context, s *Session, st *state) error {
	switch obj := st.object(); {
	case st.status == pending:
		return obj.(BeforeInserter).BeforeInsert(ctx, s)
	case st.marked:
		return obj.(BeforeDeleter).BeforeDelete(ctx, s)
	default:
		return obj.(BeforeUpdater).BeforeUpdate(ctx, s)
	}
}

// after tells the objects what was done.
func (s *Session) after(ctx context.Context, p *plan) error {
	for st, kind := range p.written() {
		if !hooksOf(st.table).after {
			continue
		}
		if err := s.hooked(st.table, func() error { return callAfter(ctx, s, st, kind) }); err != nil {
			return err
		}
	}
	return nil
}

func callAfter(ctx context.Context, s *Session, st *state, kind changeKind) error {
	obj := st.object()
	switch kind { //nolint:exhaustive // only these are given
	case inserts:
		if h, ok := obj.(AfterInserter); ok {
			return h.AfterInsert(ctx, s)
		}
	case updates:
		if h, ok := obj.(AfterUpdater); ok {
			return h.AfterUpdate(ctx, s)
		}
	case deletes:
		if h, ok := obj.(AfterDeleter); ok {
			return h.AfterDelete(ctx, s)
		}
	}
	return nil
}

// afterLoad tells an object that it was read.
func (s *Session) afterLoad(ctx context.Context, st *state) error {
	if !hooksOf(st.table).load {
		return nil
	}
	if err := st.object().(AfterLoader).AfterLoad(ctx, s); err != nil {
		return fmt.Errorf("orm: load from %s: %w", st.table.FullName(), err)
	}
	return nil
}
