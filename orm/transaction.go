package orm

import (
	"context"
	"errors"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// transaction is the session's transaction, or a savepoint in it, and what
// rolling it back has to undo among the objects.
type transaction struct {
	outer *transaction
	tx    *engine.Tx // the savepoint; nil: the transaction itself

	added    map[*state][]int    // became pending or persistent in it; columns that were zero before a flush filled them in
	deleted  map[*state]bool     // became deleted in it
	modified map[*state]bool     // were flushed in it
	keys     map[*state]identity // the keys of those that got another one
}

func newTransaction(outer *transaction) *transaction {
	t := &transaction{outer: outer}
	t.clear()
	return t
}

// clear forgets what was done in the transaction.
func (t *transaction) clear() {
	t.added, t.deleted = map[*state][]int{}, map[*state]bool{}
	t.modified, t.keys = map[*state]bool{}, map[*state]identity{}
}

// InTransaction reports whether a transaction has begun, also if nothing has
// reached the database yet.
func (s *Session) InTransaction() bool { return s.tx != nil }

// InNestedTransaction reports whether a savepoint is open.
func (s *Session) InNestedTransaction() bool { return s.tx != nil && s.tx.outer != nil }

// IsActive reports whether the session can be used: it can't after a flush has
// failed, until Rollback is called.
func (s *Session) IsActive() bool { return s.failed == nil }

// Begin begins a transaction. If there is one, the error matches
// [engine.ErrTransactionBegun]. BEGIN reaches the database with the first
// statement.
func (s *Session) Begin(ctx context.Context) error {
	return s.run(ctx, sp.OpSessionBegin, func(context.Context) error {
		if s.tx != nil {
			return fmt.Errorf("orm: begin: %w", engine.ErrTransactionBegun)
		}
		s.tx = newTransaction(nil)
		return nil
	})
}

// begun makes sure that a transaction has begun, and that it can be used.
func (s *Session) begun() error {
	if s.failed != nil {
		return &pendingRollbackError{s.failed}
	}
	if s.tx != nil {
		return nil
	}
	if !s.cfg.autobegin {
		return ErrNoTransaction
	}
	s.tx = newTransaction(nil)
	return nil
}

// connect returns the connection of the transaction, taking one if there is
// none yet.
func (s *Session) connect(ctx context.Context) (*engine.Conn, error) {
	if s.conn == nil {
		conn, err := s.eng.Connect(ctx)
		if err != nil {
			return nil, err
		}
		s.conn = conn
	}
	return s.conn, nil
}

// Connection returns the connection of the session's transaction, which begins
// if there is none. It belongs to the session.
func (s *Session) Connection(ctx context.Context) (*engine.Conn, error) {
	return do(ctx, s.Tasks().Connection())
}

// Connection is [Session.Connection].
func (t Tasks) Connection() *Task[*engine.Conn] {
	return &Task[*engine.Conn]{
		s: t.s, op: sp.OpSessionConnection, barrier: true,
		plan: func(context.Context) error { return t.s.begun() },
		perform: func(ctx context.Context) error {
			_, err := t.s.connect(ctx)
			return err
		},
		apply: func(context.Context) (*engine.Conn, error) { return t.s.conn, nil },
	}
}

// BeginNested flushes and sets a savepoint. It is ended by Commit or Rollback
// of what it returns; Commit and Rollback of the session end it too.
func (s *Session) BeginNested(ctx context.Context) (*Nested, error) {
	return do(ctx, s.Tasks().BeginNested())
}

// BeginNested is [Session.BeginNested].
func (t Tasks) BeginNested() *Task[*Nested] {
	s, f := t.s, &flushing{s: t.s}
	var tx *engine.Tx
	return &Task[*Nested]{
		s: s, op: sp.OpSessionBeginNested, barrier: true, undo: f.undo,
		plan: func(ctx context.Context) error {
			if err := f.plan(ctx); err != nil {
				return err
			}
			return s.begun()
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
			s.tx = newTransaction(s.tx)
			s.tx.tx = tx
			return &Nested{session: s, tx: s.tx}, nil
		},
	}
}

// Nested is a savepoint of a session.
type Nested struct {
	session *Session
	tx      *transaction
}

// IsActive reports whether the savepoint is open.
func (n *Nested) IsActive() bool {
	for tx := n.session.tx; tx != nil; tx = tx.outer {
		if tx == n.tx {
			return true
		}
	}
	return false
}

// Commit flushes and releases the savepoint, with those inside it. What was
// done in it is now part of the transaction around it.
func (n *Nested) Commit(ctx context.Context) error {
	_, err := do(ctx, n.session.Tasks().CommitNested(n))
	return err
}

// CommitNested is [Nested.Commit].
func (t Tasks) CommitNested(n *Nested) *Task[Nothing] {
	s, f := t.s, &flushing{s: t.s}
	return &Task[Nothing]{
		s: s, op: sp.OpSessionCommit, barrier: true, undo: f.undo,
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
			if err := n.tx.tx.Commit(ctx); err != nil {
				return fmt.Errorf("orm: commit: %w", err)
			}
			return nil
		},
		apply: finish(func(ctx context.Context) error {
			if err := f.apply(ctx); err != nil {
				return err
			}
			for s.tx != n.tx {
				s.tx = s.tx.merge()
			}
			s.tx = s.tx.merge()
			return nil
		}),
	}
}

// Rollback undoes what was done since the savepoint was set, with the
// savepoints inside it. After a flush that failed inside it, the session can be
// used again.
func (n *Nested) Rollback(ctx context.Context) error {
	_, err := do(ctx, n.session.Tasks().RollbackNested(n))
	return err
}

// RollbackNested is [Nested.Rollback].
func (t Tasks) RollbackNested(n *Nested) *Task[Nothing] {
	s, tried := t.s, false
	undo := func() {
		for s.tx != n.tx {
			s.undo(s.tx, false)
			s.tx = s.tx.outer
		}
		s.undo(n.tx, false)
		s.tx, s.failed = n.tx.outer, nil
	}
	return &Task[Nothing]{
		s: s, op: sp.OpSessionRollback, barrier: true,
		plan: func(context.Context) error {
			if !n.IsActive() {
				return fmt.Errorf("orm: rollback: %w", engine.ErrTransactionClosed)
			}
			return nil
		},
		perform: func(ctx context.Context) error {
			tried = true
			if !n.tx.tx.IsActive() { // a failed flush has rolled it back already
				return nil
			}
			if err := n.tx.tx.Rollback(ctx); err != nil {
				return fmt.Errorf("orm: rollback: %w", err)
			}
			return nil
		},
		apply: finish(func(context.Context) error {
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

// merge hands what a savepoint knows to the transaction around it.
func (t *transaction) merge() *transaction {
	outer := t.outer
	for st, zeroed := range t.added {
		if len(zeroed) > 0 || outer.added[st] == nil {
			outer.added[st] = zeroed
		}
	}
	for st := range t.deleted {
		outer.deleted[st] = true
	}
	for st := range t.modified {
		outer.modified[st] = true
	}
	for st, id := range t.keys {
		if _, known := outer.keys[st]; !known {
			outer.keys[st] = id
		}
	}
	return outer
}

// Commit flushes, commits the transaction with all its savepoints, and expires
// the session's objects, unless that is off. Without a transaction and without
// changes it does nothing. If COMMIT was sent and its answer lost, the error matches
// [sp.ErrCommitUnknown].
func (s *Session) Commit(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Commit())
	return err
}

// Commit is [Session.Commit].
func (t Tasks) Commit() *Task[Nothing] {
	s, c := t.s, &committing{flushing: flushing{s: t.s}}
	if s.objects.told { // hooks may make changes after the first flush
		return whole(s, sp.OpSessionCommit, func(ctx context.Context) (Nothing, error) { return Nothing{}, s.commit(ctx) })
	}
	task := &Task[Nothing]{s: s, op: sp.OpSessionCommit, perform: c.perform, apply: finish(c.apply), undo: c.undo}
	task.plan = func(ctx context.Context) error {
		err := c.plan(ctx) // begins, if an object was changed since the last one
		task.local, task.barrier = s.tx == nil, s.tx != nil
		return err
	}
	return task
}

// commit flushes until there is nothing more to flush, and commits.
func (s *Session) commit(ctx context.Context) error {
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
	if s.conn == nil {
		return nil
	}
	err := s.conn.Commit(ctx)
	c.closing = s.release(ctx)
	if err != nil {
		return fmt.Errorf("orm: commit: %w", err)
	}
	return nil
}

func (c *committing) apply(ctx context.Context) error {
	if err := c.flushing.apply(ctx); err != nil || c.s.tx == nil || !c.tried {
		return err
	}
	s := c.s
	for s.tx.outer != nil {
		s.tx = s.tx.merge()
	}
	for st := range s.tx.deleted {
		delete(s.objects.states, st.obj) // detached
	}
	s.tx = nil
	if s.cfg.expireOnCommit {
		s.expireAll()
	}
	return c.closing
}

// undo ends a transaction whose COMMIT has failed: what is in the database is
// not what the objects say.
func (c *committing) undo(ctx context.Context, err error) {
	c.flushing.undo(ctx, err)
	if c.tried {
		c.s.undoAll()
	}
}

// Rollback rolls the transaction back. Objects added in it become transient,
// objects deleted in it persistent, and all that remain are expired, as are
// objects that were changed without a transaction having begun.
func (s *Session) Rollback(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Rollback())
	return err
}

// Rollback is [Session.Rollback].
func (t Tasks) Rollback() *Task[Nothing] { return t.end(sp.OpSessionRollback, nil, nil) }

// end is a task that rolls back. If then is given, it comes after that, and the
// rollback is done also when the context is over; first comes before.
func (t Tasks) end(op sp.Op, first func(), then func()) *Task[Nothing] {
	s, tried := t.s, false
	forget := func() {
		if s.tx == nil {
			for _, st := range s.objects.states {
				if st.modified() {
					st.expire()
				}
			}
		}
		s.undoAll()
		s.failed = nil
		if then != nil {
			then()
		}
	}
	task := &Task[Nothing]{s: s, op: op}
	task.plan = func(context.Context) error {
		task.local, task.barrier = s.tx == nil, true
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
		if s.conn != nil {
			err = s.conn.Rollback(ctx)
		}
		if err = errors.Join(err, s.release(ctx)); err != nil {
			return fmt.Errorf("orm: rollback: %w", err)
		}
		return nil
	}
	task.apply = finish(func(context.Context) error {
		forget()
		return nil
	})
	task.undo = func(context.Context, error) {
		if tried {
			forget()
		}
	}
	return task
}

// undoAll undoes the whole transaction among the objects.
func (s *Session) undoAll() {
	for s.tx != nil {
		s.undo(s.tx, true)
		s.tx = s.tx.outer
	}
}

// undo undoes a transaction among the objects. If it is all of it, every object
// may now differ from its row; otherwise those changed in it.
func (s *Session) undo(t *transaction, all bool) {
	for st, zeroed := range t.added {
		s.objects.remove(st)
		for _, i := range zeroed {
			st.table.Columns[i].SetZero(st.obj)
		}
	}
	for st := range t.deleted {
		if _, added := t.added[st]; added {
			continue
		}
		st.status, st.marked = persistent, false
		s.objects.states[st.obj] = st
		s.objects.identify(st, st.id)
		st.expired = true
	}
	for st, id := range t.keys {
		if _, known := s.objects.states[st.obj]; known {
			s.objects.forget(st)
			s.objects.identify(st, id)
		}
	}
	for st := range t.modified {
		st.expired = true
	}
	for _, st := range s.objects.states {
		st.marked = false
		if all && st.status == persistent {
			st.expire()
		}
	}
}

// cleanup bounds what has to be done when the caller's context is over.
const cleanup = 5 * time.Second

// release gives the connection back.
func (s *Session) release(ctx context.Context) error {
	conn := s.conn
	if conn == nil {
		return nil
	}
	s.conn = nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	return conn.Close(ctx)
}

// Close rolls back what was not committed and lets all objects go: they are
// detached. It does so also when ctx is over. The session can be used again.
func (s *Session) Close(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Close())
	return err
}

// Close is [Session.Close].
func (t Tasks) Close() *Task[Nothing] { return t.end(sp.OpSessionClose, nil, t.s.letGo) }

// Reset is Close.
func (s *Session) Reset(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Reset())
	return err
}

// Reset is [Session.Reset].
func (t Tasks) Reset() *Task[Nothing] { return t.end(sp.OpSessionReset, nil, t.s.letGo) }

// Invalidate is Close, and does not use the connection again: for when it may
// be in a state that nobody knows.
func (s *Session) Invalidate(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Invalidate())
	return err
}

// Invalidate is [Session.Invalidate].
func (t Tasks) Invalidate() *Task[Nothing] {
	return t.end(sp.OpSessionInvalidate, func() {
		if t.s.conn != nil {
			t.s.conn.Invalidate()
		}
	}, t.s.letGo)
}

// letGo forgets all objects.
func (s *Session) letGo() { s.objects = newObjects() }
