package orm

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/orm/internal/cascade"
	"github.com/sessionproxy/sessionproxy/orm/internal/flush"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
)

// Flush sends all changes: rows of added objects are inserted, of changed ones
// updated, of those marked by Delete deleted. Objects held by their relations
// are added too, and foreign keys follow the relations. Keys and values that
// the database has generated are read back. Without changes it does nothing.
//
// If Flush fails, the transaction, or the innermost savepoint, is rolled back
// at once, and the session can't be used until Rollback is called. If another
// transaction has changed or deleted a row, the error is a [*StaleDataError].
func (s *Session) Flush(ctx context.Context) error {
	_, err := do(ctx, s.Tasks().Flush())
	return err
}

// Flush is [Session.Flush].
func (t Tasks) Flush() *Task[struct{}] {
	f := &flushing{s: t.s}
	task := &Task[struct{}]{s: t.s, op: opFlush, perform: f.perform, apply: noResult(f.apply), undo: f.undo}
	task.plan = func(ctx context.Context) error {
		err := f.plan(ctx)
		task.local, task.barrier = !f.needed(), f.needed()
		return err
	}
	return task
}

// flushing is a flush, in three parts: the changes are computed, they are sent,
// and the results are written into the objects.
type flushing struct {
	s         *Session
	auto      bool // before a query
	p         *flush.Plan
	wrong     error // why the changes can't be sent in any order
	performed bool
	failed    error // of the flush, sent or not
}

// needed reports whether there is anything to send or to undo.
func (f *flushing) needed() bool { return f.wrong != nil || f.p != nil && !f.p.Empty() }

func (f *flushing) plan(ctx context.Context) (err error) {
	if f.auto && (!f.s.cfg.autoflush || f.s.flushing) { // a hook may read what the flush has not sent
		return f.s.ensureTransaction()
	}
	f.p, f.wrong, err = f.s.planFlush(ctx)
	if err == nil && (f.auto || f.needed()) {
		err = f.s.ensureTransaction()
	}
	if err != nil {
		f.p, f.wrong = nil, nil
		return f.describe(err)
	}
	f.s.flushing = f.needed()
	return nil
}

func (f *flushing) describe(err error) error {
	if f.auto && err != nil {
		return fmt.Errorf("orm: autoflush: %w", err)
	}
	return err
}

// perform sends the changes. If that fails it rolls back at once: on some
// databases the transaction would otherwise stay open with half of them.
func (f *flushing) perform(ctx context.Context) error {
	if !f.needed() {
		return nil
	}
	f.performed = true
	if f.wrong != nil {
		f.failed = f.wrong
		f.s.rollbackFlush(ctx)
		return f.describe(f.failed)
	}
	conn, err := f.s.connect(ctx)
	if err != nil {
		f.performed = false // nothing was sent
		return f.describe(err)
	}
	if f.failed = stale(f.p.Perform(ctx, conn)); f.failed != nil {
		f.s.rollbackFlush(ctx)
	}
	return f.describe(f.failed)
}

func (f *flushing) apply(ctx context.Context) error {
	if !f.needed() {
		return nil
	}
	f.s.flushing = false
	if !f.performed { // an interceptor has returned without performing it
		return nil
	}
	f.p.Apply(f.s.objects, f.s.tx.journal())
	return f.describe(f.s.tell(ctx, f.p))
}

// tell calls the hooks that run after a flush. If one of them returns an error
// or panics, the flush is rolled back.
func (s *Session) tell(ctx context.Context, p *flush.Plan) (err error) {
	if !s.toldAfter() {
		return nil
	}
	ended := s.ended
	err = fmt.Errorf("%w: a hook has panicked", ErrFlush)
	defer func() {
		if err != nil && s.ended == ended {
			s.rollbackFlush(ctx)
			s.markFailed(err)
		}
	}()
	defer s.hold()()
	err = s.after(ctx, p)
	return err
}

func (f *flushing) undo(context.Context, error) {
	if !f.needed() {
		return
	}
	f.s.flushing = false
	if f.failed != nil {
		f.s.markFailed(f.failed)
	} else if f.performed { // it was sent, but a later step has failed
		f.p.Apply(f.s.objects, f.s.tx.journal())
	}
}

// planFlush adds the objects that relations hold, marks those they no longer
// hold, runs the hooks and plans what to send. wrong is the reason why there is
// no plan, which fails the flush like a statement; err is the reason why
// planning was not tried.
func (s *Session) planFlush(ctx context.Context) (p *flush.Plan, wrong, err error) {
	if s.tx.failed != nil {
		return nil, nil, &pendingRollbackError{s.tx.failed}
	}
	if s.flushing {
		return nil, nil, fmt.Errorf("%w: a flush is at work", ErrFlush)
	}
	if err := s.before(ctx); err != nil {
		return nil, nil, err
	}
	p, err = flush.New(s.eng.Dialect(), s.objects)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFlush, err), nil
	}
	if s.objects.ExpungeDiscarded() && p.Empty() {
		p.CommitBaselines(s.tx.journal()) // what still holds them is not to add them again
	}
	return p, nil, nil
}

// prepare adds the objects held by relations to the session.
func (s *Session) prepare(ctx context.Context) error {
	for _, st := range s.objects.Sorted((*identity.State).Related) {
		if !s.tx.begun() && st.RelationsModified() {
			if err := s.ensureTransaction(); err != nil {
				return err
			}
		}
		s.orphans.Save(s.objects, s.tx.journal(), st) // members may have been assigned since it was added
	}
	cascade.Reconsider(s.objects)
	for _, st := range s.orphans.Mark(s.objects) {
		if err := cascade.Delete(ctx, s.objects, st, s.loadRelation); err != nil {
			return err
		}
	}
	return nil
}

// rollbackFlush rolls back what a flush has done so far.
func (s *Session) rollbackFlush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	switch {
	case s.tx.innermost().savepoint != nil:
		_ = s.tx.innermost().savepoint.Rollback(ctx) // if it fails, so will the session's Rollback
	case s.tx.external, s.tx.conn == nil: // the caller that ends the transaction gets the error; or nothing was sent
	default:
		_ = s.tx.conn.Rollback(ctx)
	}
}

// markFailed records that a flush has failed and was rolled back.
func (s *Session) markFailed(err error) {
	s.tx.failed = err
	j := s.tx.journal()
	j.Undo(s.objects, len(s.tx.levels) == 1)
	j.Clear()
}

// autoflush flushes before a query, unless autoflush is off.
func (s *Session) autoflush(ctx context.Context) error {
	f := &flushing{s: s, auto: true}
	if err := f.plan(ctx); err != nil {
		return err
	}
	if err := f.perform(ctx); err != nil {
		f.undo(ctx, err)
		return err
	}
	return f.apply(ctx)
}

// NoAutoflush runs fn with autoflush off.
func (s *Session) NoAutoflush(fn func() error) error {
	before := s.cfg.autoflush
	s.cfg.autoflush = false
	defer func() { s.cfg.autoflush = before }()
	return fn()
}

// rounds bounds how often hooks may find changes made by other hooks.
const rounds = 100

// before adds the objects held by relations to the session and calls the hooks
// that run before a flush, until there are no new ones.
func (s *Session) before(ctx context.Context) error {
	var called map[*identity.State]bool
	defer s.hold()()
	if err := s.tellBeforeFlush(ctx); err != nil {
		return err
	}
	for range rounds {
		if s.objects.Related {
			if err := s.prepare(ctx); err != nil {
				return err
			}
		}
		if !s.hooks.before {
			return nil
		}
		if called == nil {
			called = map[*identity.State]bool{}
		}
		again := false
		for _, st := range s.objects.Sorted(func(st *identity.State) bool { return !called[st] && hasBefore(st) }) {
			called[st] = true
			again = true
			if st.Dropped { // another hook has removed it
				continue
			}
			if err := s.hooked(st.Table, func() error { return callBefore(ctx, s, st) }); err != nil {
				return err
			}
		}
		if !again {
			return nil
		}
	}
	return fmt.Errorf("%w: hooks have made changes %d times, one after the other", ErrFlush, rounds)
}

// after calls the hooks that run after a flush.
func (s *Session) after(ctx context.Context, p *flush.Plan) error {
	for st, kind := range p.Changes() {
		if !hooksOf(st.Table).after {
			continue
		}
		if err := s.hooked(st.Table, func() error { return callAfter(ctx, s, st, kind) }); err != nil {
			return err
		}
	}
	return s.tellAfterFlush(ctx, p)
}

// hold marks the session as flushing, so that no hook can flush, until the
// returned function is called.
func (s *Session) hold() (letGo func()) {
	s.flushing = true
	return func() { s.flushing = false }
}
