package orm

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
)

// Flush sends what has changed: rows of added objects are inserted, of changed
// ones updated, of those marked by Delete deleted. What their relations hold is
// added too, and foreign keys follow the relations. Keys and values that the
// database has made are read back. Without a change it does nothing.
//
// If it fails, the transaction, or the innermost savepoint, is rolled back at
// once, and the session can't be used until Rollback is called. A row that
// others have changed or deleted is a [*StaleDataError].
func (s *Session) Flush(ctx context.Context) error { return s.run(ctx, sp.OpSessionFlush, s.flush) }

// flush has three parts: what will be sent is computed, sent, and what came of
// it is written into the objects.
func (s *Session) flush(ctx context.Context) error {
	p, err := s.planFlush(ctx)
	if err != nil || len(p.changes) == 0 {
		return err
	}
	s.busy = true
	defer func() { s.busy = false }()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	err = p.perform(ctx, conn)
	if err == nil {
		p.apply(s)
		err = s.after(ctx, p)
	}
	if err != nil {
		s.fail(ctx, err)
	}
	return err
}

// planFlush adds what relations hold, marks what they no longer hold, runs the
// hooks and plans what is to be sent.
func (s *Session) planFlush(ctx context.Context) (*plan, error) {
	if s.failed != nil {
		return nil, &pendingRollbackError{s.failed}
	}
	if s.busy {
		return nil, fmt.Errorf("%w: a flush is at work", ErrFlush)
	}
	if err := s.before(ctx); err != nil {
		return nil, err
	}
	p, err := newPlan(s.eng.Dialect(), &s.objects)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFlush, err)
	}
	return p, nil
}

// prepare brings the relations' objects into the session.
func (s *Session) prepare(ctx context.Context) error {
	if err := s.cascadeAll(); err != nil {
		return err
	}
	for _, st := range s.orphans() {
		if err := s.markAll(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

// fail rolls back what a flush has begun, at once: on some databases the
// transaction would live on with half of it.
func (s *Session) fail(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	s.failed = err
	if s.tx.tx != nil {
		_ = s.tx.tx.Rollback(ctx) // if it fails, so will the session's Rollback
	} else {
		_ = s.conn.Rollback(ctx)
	}
	s.undo(s.tx, s.tx.outer == nil)
	s.tx.clear()
}
