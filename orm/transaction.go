package orm

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
)

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
