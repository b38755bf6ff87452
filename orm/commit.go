package orm

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
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
