package orm

import (
	"context"
	"fmt"
	"slices"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/event"
	"github.com/sessionproxy/sessionproxy/orm/internal/flush"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

type listener = event.Listener[*Session]

// Listen has the session call the functions of a listener, after those of
// earlier ones, until stop is called. Closing the session does not remove its
// listeners. Call it, and stop, while the session does nothing else.
func (s *Session) Listen(l event.Listener[*Session]) (stop func()) {
	added := &l
	s.listeners = append(slices.Clip(s.listeners), added)
	return func() {
		s.listeners = slices.DeleteFunc(slices.Clone(s.listeners), func(other *listener) bool { return other == added })
	}
}

// listens reports whether a listener has a function.
func (s *Session) listens(has func(l *listener) bool) bool {
	return slices.ContainsFunc(s.listeners, has)
}

func beforeFlush(l *listener) bool { return l.BeforeFlush != nil }
func afterFlush(l *listener) bool  { return l.AfterFlush != nil }

// readsBefore reports whether something that may read is called before a flush.
func (s *Session) readsBefore() bool { return s.hooks.before || s.listens(beforeFlush) }

// toldAfter reports whether something is called after a flush.
func (s *Session) toldAfter() bool { return s.hooks.after || s.listens(afterFlush) }

// dividesCommit reports whether a Commit may have to flush several times, or to
// read before it.
func (s *Session) dividesCommit() bool {
	return s.toldAfter() || s.listens(func(l *listener) bool { return l.BeforeCommit != nil })
}

// changed reports whether a flush has anything to look at.
func (s *Session) changed() bool {
	for st := range s.objects.All() {
		if st.Status == identity.Pending && !st.Discarded() || st.Marked && st.Status == identity.Persistent || st.Modified() {
			return true
		}
	}
	return false
}

// tellBeforeFlush calls the listeners before a flush, if there is something to
// send.
func (s *Session) tellBeforeFlush(ctx context.Context) error {
	if !s.listens(beforeFlush) || !s.changed() {
		return nil
	}
	return s.each(func(l *listener) error {
		if l.BeforeFlush == nil {
			return nil
		}
		return l.BeforeFlush(ctx, s)
	}, "before flush")
}

// tellAfterFlush calls the listeners after a flush.
func (s *Session) tellAfterFlush(ctx context.Context, p *flush.Plan) error {
	if !s.listens(afterFlush) {
		return nil
	}
	var done event.Flushed
	for st, kind := range p.Changes() {
		switch kind { //nolint:exhaustive // only these are given
		case flush.Insert:
			done.Inserted = append(done.Inserted, st.Value())
		case flush.Update:
			done.Updated = append(done.Updated, st.Value())
		case flush.Delete:
			done.Deleted = append(done.Deleted, st.Value())
		}
	}
	return s.each(func(l *listener) error {
		if l.AfterFlush == nil {
			return nil
		}
		return l.AfterFlush(ctx, s, done)
	}, "after flush")
}

// each calls something of each listener until one returns an error. One that ends
// the transaction is an error.
func (s *Session) each(call func(l *listener) error, when string) error {
	ended := s.ended
	for _, l := range s.listeners {
		err := call(l)
		if err == nil && s.ended != ended {
			err = fmt.Errorf("%w: it has ended the transaction", ErrFlush)
		}
		if err != nil {
			return fmt.Errorf("orm: listener, %s: %w", when, err)
		}
	}
	return nil
}

// tellBeforeCommit calls the listeners before the flush of Commit.
func (s *Session) tellBeforeCommit(ctx context.Context) error {
	if !s.tx.begun() && !s.changed() {
		return nil
	}
	return s.each(func(l *listener) error {
		if l.BeforeCommit == nil {
			return nil
		}
		return l.BeforeCommit(ctx, s)
	}, "before commit")
}

func (s *Session) tellBegun(ctx context.Context, conn *engine.Conn) error {
	for _, l := range s.listeners {
		if l.AfterBegin == nil {
			continue
		}
		if err := l.AfterBegin(ctx, conn); err != nil {
			return fmt.Errorf("orm: listener, after begin: %w", err)
		}
	}
	return nil
}

func (s *Session) tellCommitted(ctx context.Context) {
	for _, l := range s.listeners {
		if l.AfterCommit != nil {
			l.AfterCommit(ctx)
		}
	}
}

func (s *Session) tellRollingBack(ctx context.Context) {
	for _, l := range s.listeners {
		if l.BeforeRollback != nil {
			l.BeforeRollback(ctx)
		}
	}
}

func (s *Session) tellRolledBack(ctx context.Context) {
	for _, l := range s.listeners {
		if l.AfterRollback != nil {
			l.AfterRollback(ctx)
		}
	}
}
