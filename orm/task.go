package orm

import (
	"context"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// A Task is a method of a session that has not run yet, in three parts, for a
// dispatcher that performs the middle one elsewhere, as package proxy's async
// session does. The session's own methods do all three at once.
//
// Plan and Apply touch objects: they run on the goroutine that owns the
// session. Perform is what waits for the database, and touches nothing that the
// owner does, unless [Task.Exclusive] says so. The session's tasks are planned,
// performed and applied in the same order, each part of one after the same part
// of the one before; and if [Task.Barrier] says so, a task is applied before the
// next one is planned.
//
// A Task is used once, by one goroutine at a time.
type Task[T any] struct {
	s         *Session
	op        sp.Op
	inTx      bool
	waited    time.Duration
	wrong     error // of the plan
	local     bool
	barrier   bool
	exclusive bool
	single    bool

	plan    func(ctx context.Context) error
	perform func(ctx context.Context) error
	apply   func(ctx context.Context) (T, error) // if perform succeeded
	undo    func(ctx context.Context, err error) // if it failed
}

// Plan finds out what is to be done, and takes down what objects are now. What
// is wrong is returned by Perform, so that the chain sees it.
func (t *Task[T]) Plan(ctx context.Context) {
	t.inTx = t.s.tx.begun()
	t.wrong = t.plan(ctx)
}

// Reads reports, of a task that is not yet planned, whether planning it may
// read from the database: what was submitted before has to be applied first.
func (t *Task[T]) Reads() bool { return t.s.objects.Owning || t.s.hooks.before }

// Local reports, of a planned task, whether it needs no database: it may be
// performed and applied at once.
func (t *Task[T]) Local() bool { return t.wrong != nil || t.local }

// Barrier reports, of a planned task, whether it changes what the session
// knows: it has to be applied before the next task is planned.
func (t *Task[T]) Barrier() bool { return t.wrong == nil && t.barrier }

// Single reports, of a planned task, whether it runs one statement: it may be
// performed with others of its kind by [Tasks.BatchFuncs].
func (t *Task[T]) Single() bool { return t.wrong == nil && t.single }

// Exclusive reports, of a planned task, whether performing it touches objects:
// the owner has to wait until it is performed.
func (t *Task[T]) Exclusive() bool { return t.wrong == nil && t.exclusive }

// Waited tells a planned task how long it waited to be performed, for an event
// of its call.
func (t *Task[T]) Waited(d time.Duration) { t.waited = d }

// Perform passes the method through the chain, to the database.
func (t *Task[T]) Perform(ctx context.Context) error {
	return t.s.pass(ctx, t.op, t.inTx, func(ctx context.Context) error {
		if call := sp.CallFrom(ctx); call != nil && t.waited > 0 {
			call.Event(sp.Event{Kind: sp.EventQueued, Delay: t.waited, Detail: "session"})
		}
		if t.wrong != nil {
			return t.wrong
		}
		return t.perform(ctx)
	})
}

// Apply writes what came of the task into the session's objects, and returns
// the method's result. err is that of Perform.
func (t *Task[T]) Apply(ctx context.Context, err error) (out T, _ error) {
	if err != nil {
		if t.undo != nil && t.wrong == nil {
			t.undo(ctx, err)
		}
		return out, err
	}
	return t.apply(ctx)
}

// do does all of a task, inside the chain.
func do[T any](ctx context.Context, t *Task[T]) (out T, err error) {
	err = t.s.run(ctx, t.op, func(ctx context.Context) (err error) {
		if err = t.plan(ctx); err != nil {
			return err
		}
		out, err = t.Apply(ctx, t.perform(ctx))
		return err
	})
	return out, err
}

// Tasks is what a dispatcher needs of a session: its methods as tasks, and the
// means to perform them. Those with a type parameter are functions, such as
// [GetTask].
type Tasks struct{ s *Session }

// Tasks returns the session's methods as tasks.
func (s *Session) Tasks() Tasks { return Tasks{s} }

// noResult is an apply without a result.
func noResult(fn func(ctx context.Context) error) func(ctx context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }
}

// indivisible is a task whose parts can't be told apart: what it reads decides what
// it reads next.
func indivisible[T any](s *Session, op sp.Op, fn func(ctx context.Context) (T, error)) *Task[T] {
	var out T
	return &Task[T]{
		s: s, op: op, barrier: true, exclusive: true,
		plan: func(context.Context) error { return nil },
		perform: func(ctx context.Context) (err error) {
			out, err = fn(ctx)
			return err
		},
		apply: func(context.Context) (T, error) { return out, nil },
	}
}

// RunSync is a task that calls a blocking function with the session, which it
// has to itself.
func (t Tasks) RunSync(fn func(ctx context.Context, s *Session) error) *Task[struct{}] {
	task := indivisible(t.s, opRunSync, noResult(func(ctx context.Context) error { return fn(ctx, t.s) }))
	task.exclusive = false // whoever asks for it knows what it touches
	return task
}

// BatchFuncs calls functions that perform tasks of one statement each, and has
// these sent together where the database can; see [engine.Conn.BatchFuncs].
func (t Tasks) BatchFuncs(fns ...func()) {
	for len(fns) > 0 && t.s.tx.conn == nil {
		fns[0]()
		fns = fns[1:]
	}
	if len(fns) > 0 {
		t.s.tx.conn.BatchFuncs(fns...)
	}
}

// Keep makes the transaction of the session one that is ended by the caller alone,
// as a function that is handed the session must not end it: until release is
// called, Commit, Rollback, Close, Reset and Invalidate fail with an error that
// matches [engine.ErrTransactionManaged], and do nothing. Savepoints are the
// session's own as ever. release reports whether such a method but Commit was
// called: then the transaction holds what somebody believes undone, and must not
// be committed.
func (t Tasks) Keep() (release func() (broken bool)) {
	k := &keep{}
	t.s.kept = k
	return func() bool {
		t.s.kept = nil
		return k.broken
	}
}
