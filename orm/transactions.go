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

// Commit is [Session.Commit]. After the end of the transaction it is an error
// that matches [engine.ErrTransactionClosed].
func (t *Transaction) Commit(ctx context.Context) error {
	if !t.IsActive() {
		return fmt.Errorf("orm: commit: %w", engine.ErrTransactionClosed)
	}
	return t.session.Commit(ctx)
}

// Rollback is [Session.Rollback]. After the end of the transaction it is an
// error that matches [engine.ErrTransactionClosed].
func (t *Transaction) Rollback(ctx context.Context) error {
	if !t.IsActive() {
		return fmt.Errorf("orm: rollback: %w", engine.ErrTransactionClosed)
	}
	return t.session.Rollback(ctx)
}

// Transaction returns the transaction that is open, or nil.
func (s *Session) Transaction() *Transaction {
	if !s.tx.begun() {
		return nil
	}
	return &Transaction{session: s, journal: s.tx.levels[0].journal}
}

// NestedTransaction returns the innermost savepoint that is open, or nil.
func (s *Session) NestedTransaction() *Nested {
	if !s.InNestedTransaction() {
		return nil
	}
	return &Nested{session: s, journal: s.tx.journal(), savepoint: s.tx.innermost().savepoint}
}
