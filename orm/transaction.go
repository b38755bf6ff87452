package orm

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// Transaction is a transaction of a session.
type Transaction struct {
	session *Session
	journal *identity.Journal // tells it from others
}

// IsActive reports whether the transaction is open.
func (t *Transaction) IsActive() bool { return t.session.tx.find(t.journal) == 0 }

// Commit is [Session.Commit]. After the end of the transaction the error
// matches [engine.ErrTransactionClosed].
func (t *Transaction) Commit(ctx context.Context) error {
	if !t.IsActive() {
		return fmt.Errorf("orm: commit: %w", engine.ErrTransactionClosed)
	}
	return t.session.Commit(ctx)
}

// Rollback is [Session.Rollback]. After the end of the transaction the error
// matches [engine.ErrTransactionClosed].
func (t *Transaction) Rollback(ctx context.Context) error {
	if !t.IsActive() {
		return fmt.Errorf("orm: rollback: %w", engine.ErrTransactionClosed)
	}
	return t.session.Rollback(ctx)
}

// Transaction returns the open transaction, or nil.
func (s *Session) Transaction() *Transaction {
	if !s.tx.begun() {
		return nil
	}
	return &Transaction{session: s, journal: s.tx.levels[0].journal}
}

// NestedTransaction returns the innermost open savepoint, or nil.
func (s *Session) NestedTransaction() *Nested {
	if !s.InNestedTransaction() {
		return nil
	}
	return &Nested{session: s, journal: s.tx.journal(), savepoint: s.tx.innermost().savepoint}
}

// BeginNested flushes and sets a savepoint. Commit or Rollback of the result
// ends it; so do Commit and Rollback of the session.
func (s *Session) BeginNested(ctx context.Context) (*Nested, error) {
	return do(ctx, s.Tasks().BeginNested())
}

// BeginNested is [Session.BeginNested].
func (t Tasks) BeginNested() *Task[*Nested] {
	s, f := t.s, &flushing{s: t.s}
	var tx *engine.Tx
	return &Task[*Nested]{
		s: s, op: opBeginNested, barrier: true, undo: f.undo,
		plan: func(ctx context.Context) error {
			if err := f.plan(ctx); err != nil {
				return err
			}
			return s.ensureTransaction()
		},
		perform: func(ctx context.Context) error {
			if err := f.perform(ctx); err != nil {
				return err
			}
			conn, err := s.connect(ctx)
			if err != nil {
				return err
			}
			if tx, err = conn.BeginNested(ctx); err != nil {
				return fmt.Errorf("orm: begin nested: %w", err)
			}
			return nil
		},
		apply: func(ctx context.Context) (*Nested, error) {
			if err := f.apply(ctx); err != nil {
				return nil, err
			}
			return &Nested{session: s, journal: s.tx.push(tx, s.objects), savepoint: tx}, nil
		},
	}
}

// Nested is a savepoint of a session.
type Nested struct {
	session   *Session
	journal   *identity.Journal // tells it from others
	savepoint *engine.Tx
}

// IsActive reports whether the savepoint is open.
func (n *Nested) IsActive() bool { return n.session.tx.find(n.journal) > 0 }

// Commit flushes and releases the savepoint, with those inside it. Its work
// becomes part of the enclosing transaction.
func (n *Nested) Commit(ctx context.Context) error {
	_, err := do(ctx, n.session.Tasks().CommitNested(n))
	return err
}

// CommitNested is [Nested.Commit].
func (t Tasks) CommitNested(n *Nested) *Task[struct{}] {
	s, f := t.s, &flushing{s: t.s}
	return &Task[struct{}]{
		s: s, op: opCommit, barrier: true, undo: f.undo,
		plan: func(ctx context.Context) error {
			if !n.IsActive() {
				return fmt.Errorf("orm: commit: %w", engine.ErrTransactionClosed)
			}
			return f.plan(ctx)
		},
		perform: func(ctx context.Context) error {
			if err := f.perform(ctx); err != nil {
				return err
			}
			if err := n.savepoint.Commit(ctx); err != nil {
				return fmt.Errorf("orm: commit: %w", err)
			}
			return nil
		},
		apply: noResult(func(ctx context.Context) error {
			if err := f.apply(ctx); err != nil {
				return err
			}
			s.tx.mergeTo(s.tx.find(n.journal))
			return nil
		}),
	}
}

// Rollback undoes the work since the savepoint was set, with the savepoints
// inside it. Objects that were changed or read since are expired, whether they
// were flushed or not; the others are left alone. If a flush failed inside the
// savepoint, the session can be used again.
func (n *Nested) Rollback(ctx context.Context) error {
	_, err := do(ctx, n.session.Tasks().RollbackNested(n))
	return err
}

// RollbackNested is [Nested.Rollback].
func (t Tasks) RollbackNested(n *Nested) *Task[struct{}] {
	s, tried := t.s, false
	undo := func() {
		s.ended++
		s.tx.undoTo(s.tx.find(n.journal), s.objects, false)
		s.tx.failed = nil
	}
	return &Task[struct{}]{
		s: s, op: opRollback, barrier: true,
		plan: func(context.Context) error {
			if !n.IsActive() {
				return fmt.Errorf("orm: rollback: %w", engine.ErrTransactionClosed)
			}
			return nil
		},
		perform: func(ctx context.Context) error {
			tried = true
			if !n.savepoint.IsActive() { // a failed flush has rolled it back already
				return nil
			}
			if err := n.savepoint.Rollback(ctx); err != nil {
				return fmt.Errorf("orm: rollback: %w", err)
			}
			return nil
		},
		apply: noResult(func(context.Context) error {
			undo()
			return nil
		}),
		undo: func(context.Context, error) {
			if tried {
				undo()
			}
		},
	}
}

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
