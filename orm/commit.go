package orm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/cascade"
)

// Commit flushes, commits the transaction with all its savepoints, and expires
// the session's objects, unless [WithoutExpireOnCommit] is set. Without a
// transaction and without changes it does nothing. If COMMIT was sent and its
// answer lost, the error matches [sp.ErrCommitUnknown].
func (s *Session) Commit(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Commit())
	return err
}

// Commit is [Session.Commit].
func (t Tasks) Commit() *Task[struct{}] {
	s, c := t.s, &committing{flushing: flushing{s: t.s}}
	if err := s.ends("commit", false); err != nil {
		return refused(s, opCommit, err)
	}
	if s.dividesCommit() { // hooks may make changes after the first flush
		return indivisible(s, opCommit, func(ctx context.Context) (struct{}, error) { return struct{}{}, s.commit(ctx) })
	}
	task := &Task[struct{}]{s: s, op: opCommit, perform: c.perform, apply: noResult(c.apply), undo: c.undo}
	task.plan = func(ctx context.Context) error {
		err := c.plan(ctx) // begins, if an object was changed since the last one
		task.local, task.barrier = !s.tx.begun(), s.tx.begun()
		return err
	}
	return task
}

// commit flushes until there are no changes left, and commits.
func (s *Session) commit(ctx context.Context) error {
	if err := s.tellBeforeCommit(ctx); err != nil {
		return err
	}
	for range rounds {
		c := &committing{flushing: flushing{s: s}}
		if err := c.plan(ctx); err != nil {
			return err
		}
		more := c.needed()
		if more {
			err := c.flushing.perform(ctx)
			if err != nil {
				c.undo(ctx, err)
			} else {
				err = c.flushing.apply(ctx)
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := c.perform(ctx); err != nil {
			c.undo(ctx, err)
			return err
		}
		return c.apply(ctx)
	}
	return fmt.Errorf("%w: hooks have made changes %d times, one after the other", ErrFlush, rounds)
}

// committing is a flush and a COMMIT.
type committing struct {
	flushing
	tried   bool  // COMMIT was sent, or given up
	closing error // of giving the connection back
}

func (c *committing) perform(ctx context.Context) error {
	if err := c.flushing.perform(ctx); err != nil {
		return err
	}
	s := c.s
	c.tried = true
	if s.tx.conn == nil {
		return nil
	}
	if s.tx.external {
		c.tried = false
		return fmt.Errorf("orm: commit: %w", engine.ErrTransactionManaged)
	}
	err := s.tx.conn.Commit(ctx)
	c.closing = s.release(ctx)
	if err != nil {
		return fmt.Errorf("orm: commit: %w", err)
	}
	return nil
}

func (c *committing) apply(ctx context.Context) error {
	if err := c.flushing.apply(ctx); err != nil || !c.s.tx.begun() || !c.tried {
		return err
	}
	s := c.s
	s.tx.mergeTo(1)
	s.objects.Detach(s.tx.journal())
	s.tx.journal().Clear()
	s.tx.levels = nil
	if s.cfg.expireOnCommit {
		s.objects.ExpireAll()
	}
	s.tellCommitted(ctx)
	return c.closing
}

// undo ends a transaction whose COMMIT failed: the database and the objects no
// longer agree.
func (c *committing) undo(ctx context.Context, err error) {
	c.flushing.undo(ctx, err)
	if c.tried {
		c.s.tx.undoTo(0, c.s.objects, true)
		c.s.tellRolledBack(ctx)
	}
}

// Rollback rolls the transaction back. Objects added in it become transient and
// objects deleted in it persistent; all that remain are expired. If no
// transaction has begun, the objects that were changed are expired.
func (s *Session) Rollback(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Rollback())
	return err
}

// Rollback is [Session.Rollback].
func (t Tasks) Rollback() *Task[struct{}] { return t.end(opRollback, nil, nil) }

// end is a task that rolls back. It calls first before the rollback and then
// after it; if then is given, it rolls back even if the context has ended.
func (t Tasks) end(op sp.Op, first func(), then func()) *Task[struct{}] {
	s, tried := t.s, false
	if err := s.ends(strings.TrimPrefix(op.String(), "session."), true); err != nil {
		return refused(s, op, err)
	}
	forget := func(ctx context.Context) {
		tells := s.tx.begun() && !s.tx.external
		s.ended++
		if !s.tx.begun() {
			for st := range s.objects.All() {
				if st.Modified() {
					st.Expire()
				}
			}
		}
		if s.tx.external && then != nil { // its caller ends the transaction, and keeps or undoes the work
			s.tx.levels = nil
		}
		s.tx.undoTo(0, s.objects, true)
		s.tx.failed = nil
		if then != nil {
			then()
		}
		if tells {
			s.tellRolledBack(ctx)
		}
	}
	task := &Task[struct{}]{s: s, op: op}
	task.plan = func(ctx context.Context) error {
		task.local, task.barrier = !s.tx.begun(), true
		if s.tx.begun() && !s.tx.external {
			s.tellRollingBack(ctx)
		}
		return nil
	}
	task.perform = func(ctx context.Context) error {
		tried = true
		if first != nil {
			first()
		}
		if then != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanup)
			defer cancel()
		}
		var err error
		if s.tx.conn != nil && !s.tx.external {
			err = s.tx.conn.Rollback(ctx)
		}
		if err = errors.Join(err, s.release(ctx)); err != nil {
			return fmt.Errorf("orm: rollback: %w", err)
		}
		return nil
	}
	task.apply = noResult(func(ctx context.Context) error {
		forget(ctx)
		return nil
	})
	task.undo = func(ctx context.Context, _ error) {
		if tried {
			forget(ctx)
		}
	}
	return task
}

// Close rolls back uncommitted work and releases all objects: they are
// detached. It does so even if ctx has ended. The session can be used again.
func (s *Session) Close(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Close())
	return err
}

// Close is [Session.Close].
func (t Tasks) Close() *Task[struct{}] { return t.end(opClose, nil, t.s.detachAll) }

// Reset is [Session.Close].
func (s *Session) Reset(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Reset())
	return err
}

// Reset is [Session.Reset].
func (t Tasks) Reset() *Task[struct{}] { return t.end(opReset, nil, t.s.detachAll) }

// Invalidate is [Session.Close], and closes the connection for good instead of
// reusing it. Use it if the connection may be in an unknown state.
func (s *Session) Invalidate(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Invalidate())
	return err
}

// Invalidate is [Session.Invalidate].
func (t Tasks) Invalidate() *Task[struct{}] {
	return t.end(opInvalidate, func() {
		if t.s.tx.conn != nil {
			t.s.tx.conn.Invalidate()
		}
	}, t.s.detachAll)
}

// detachAll forgets all objects, which are detached from then on.
func (s *Session) detachAll() {
	s.objects.Reset()
	s.orphans, s.hooks = cascade.Orphans{}, tableHooks{}
}

// refused returns a method that fails with err.
func refused(s *Session, op sp.Op, err error) *Task[struct{}] {
	return &Task[struct{}]{s: s, op: op, plan: func(context.Context) error { return err }}
}
