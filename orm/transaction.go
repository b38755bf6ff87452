package orm

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// transaction is the database's side of the session's transaction; the journals
// record what has to be undone in the objects.
type transaction struct {
	conn     *engine.Conn // while it has reached the database
	external bool         // the connection and its transaction are the caller's
	levels   []level      // the transaction and the savepoints in it, outermost first; none: it has not begun
	failed   error        // a flush has failed, and rolled back

	first [1]level // room for the transaction itself
}

// level is the transaction itself or a savepoint in it.
type level struct {
	savepoint *engine.Tx // nil: the transaction itself
	journal   *identity.Journal
}

// begun reports whether there is a transaction.
func (t *transaction) begun() bool { return len(t.levels) > 0 }

// innermost returns the current level of a transaction that has begun.
func (t *transaction) innermost() *level { return &t.levels[len(t.levels)-1] }

// journal returns the current journal; nil without a transaction.
func (t *transaction) journal() *identity.Journal {
	if !t.begun() {
		return nil
	}
	return t.innermost().journal
}

// find returns the index of a journal's level, or -1.
func (t *transaction) find(j *identity.Journal) int {
	return slices.IndexFunc(t.levels, func(l level) bool { return l.journal == j })
}

// push begins a level.
func (t *transaction) push(savepoint *engine.Tx, o *identity.Map) *identity.Journal {
	j := identity.NewJournal(t.journal(), o)
	if !t.begun() {
		t.levels = t.first[:0]
	}
	t.levels = append(t.levels, level{savepoint, j})
	return j
}

// mergeTo ends the levels from n on and merges the journal of each savepoint
// into that of the level around it.
func (t *transaction) mergeTo(n int) {
	for len(t.levels) > n {
		if j := t.innermost().journal; len(t.levels) > 1 {
			j.Merge()
		}
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// undoTo undoes the changes of the levels from n on in the objects.
func (t *transaction) undoTo(n int, o *identity.Map, all bool) {
	for len(t.levels) > n {
		t.innermost().journal.Undo(o, all)
		t.levels = t.levels[:len(t.levels)-1]
	}
}

// cleanup bounds work that must be done although the caller's context has
// ended.
const cleanup = 5 * time.Second

// InTransaction reports whether a transaction has begun, even if nothing has
// reached the database yet.
func (s *Session) InTransaction() bool { return s.tx.begun() }

// InNestedTransaction reports whether a savepoint is open.
func (s *Session) InNestedTransaction() bool { return len(s.tx.levels) > 1 }

// IsActive reports whether the session can be used: after a failed flush it
// can't, until Rollback is called.
func (s *Session) IsActive() bool { return s.tx.failed == nil }

// Begin begins a transaction. If one is open already, the error matches
// [engine.ErrTransactionBegun]. BEGIN reaches the database with the first
// statement.
func (s *Session) Begin(ctx context.Context) error {
	return s.run(ctx, opBegin, func(context.Context) error {
		if s.tx.begun() {
			return fmt.Errorf("orm: begin: %w", engine.ErrTransactionBegun)
		}
		s.tx.push(nil, s.objects)
		return nil
	})
}

// Connection returns the connection of the session's transaction, beginning one
// if necessary. The connection belongs to the session.
func (s *Session) Connection(ctx context.Context) (*engine.Conn, error) {
	return do(ctx, s.Tasks().Connection())
}

// Connection is [Session.Connection].
func (t Tasks) Connection() *Task[*engine.Conn] {
	return &Task[*engine.Conn]{
		s: t.s, op: opConnection, barrier: true,
		plan: func(context.Context) error { return t.s.ensureTransaction() },
		perform: func(ctx context.Context) error {
			_, err := t.s.connect(ctx)
			return err
		},
		apply: func(context.Context) (*engine.Conn, error) { return t.s.tx.conn, nil },
	}
}

// ensureTransaction makes sure that there is a transaction, and that it can be
// used.
func (s *Session) ensureTransaction() error {
	if s.tx.failed != nil {
		return &pendingRollbackError{s.tx.failed}
	}
	if s.tx.begun() {
		return nil
	}
	if !s.cfg.autobegin {
		return ErrNoTransaction
	}
	s.tx.push(nil, s.objects)
	return nil
}

// connect returns the connection of the transaction, taking one from the pool
// if necessary.
func (s *Session) connect(ctx context.Context) (*engine.Conn, error) {
	if s.tx.conn == nil {
		conn, err := s.eng.Connect(ctx)
		if err != nil {
			return nil, err
		}
		s.tx.conn = conn
		if err := s.tellBegun(ctx, conn); err != nil {
			_ = s.release(ctx) // it rolls back
			return nil, err
		}
	}
	return s.tx.conn, nil
}

// release gives the connection back.
func (s *Session) release(ctx context.Context) error {
	conn := s.tx.conn
	if conn == nil || s.tx.external {
		return nil
	}
	s.tx.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	return conn.Close(ctx)
}
