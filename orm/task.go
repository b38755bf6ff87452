package orm

import (
	"context"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// A Task is a method of a session that has not run yet, in three parts, for a
// dispatcher that performs the middle one elsewhere, as package proxy's async
// session does. The session's own methods run all three at once.
//
// Plan and Apply access objects: they run on the goroutine that owns the
// session. Perform waits for the database and accesses nothing that the owner
// uses, unless [Task.Exclusive] says so. Tasks of a session are planned in
// order, performed in that order, and applied in that order; if [Task.Barrier]
// says so, a task is applied before the next one is planned.
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

// Plan finds out what to do, and copies what it needs from the objects. Perform
// returns the errors of the plan, so that the chain sees them.
func (t *Task[T]) Plan(ctx context.Context) {
	t.inTx = t.s.tx.begun()
	t.wrong = t.plan(ctx)
}

// Reads reports, for a task that is not yet planned, whether planning may read
// from the database: then earlier tasks must be applied first.
func (t *Task[T]) Reads() bool { return t.s.objects.Owning || t.s.readsBefore() }

// Local reports, for a planned task, whether it needs no database: it may be
// performed and applied at once.
func (t *Task[T]) Local() bool { return t.wrong != nil || t.local }

// Barrier reports, for a planned task, whether it changes the session's state:
// it must be applied before the next task is planned.
func (t *Task[T]) Barrier() bool { return t.wrong == nil && t.barrier }

// Single reports, for a planned task, whether it runs one statement: it may be
// performed with other such tasks by [Tasks.BatchFuncs].
func (t *Task[T]) Single() bool { return t.wrong == nil && t.single }

// Exclusive reports, for a planned task, whether performing it accesses
// objects: the owner must wait until it is performed.
func (t *Task[T]) Exclusive() bool { return t.wrong == nil && t.exclusive }

// Waited records how long a planned task waited to be performed, for an event
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

// Apply writes the results of the task into the session's objects, and returns
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

// Run runs all parts of a task, inside the chain.
func (t *Task[T]) Run(ctx context.Context) (T, error) { return do(ctx, t) }

// do runs all parts of a task, inside the chain.
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

// Tasks is a session for a dispatcher: the session's methods as tasks, and the
// means to perform them. Those that have a type parameter are in [TypedTasks].
type Tasks struct{ s *Session }

// TypedTasks are the tasks of functions with a type parameter, such as [Get].
type TypedTasks[T any] struct{ s *Session }

// TasksOf returns the tasks of functions for T: a mapped struct, or, of Scalar,
// Scalars and Adopt, the type of a column.
func TasksOf[T any](s *Session) TypedTasks[T] { return TypedTasks[T]{s} }

// Tasks returns the session's methods as tasks.
func (s *Session) Tasks() Tasks { return Tasks{s} }

// noResult returns an apply function without a result.
func noResult(fn func(ctx context.Context) error) func(ctx context.Context) (struct{}, error) {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }
}

// indivisible is a task that can't be divided into parts, because what it reads
// decides what it reads next.
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

// RunSync is a task that calls a blocking function with exclusive use of the
// session.
func (t Tasks) RunSync(fn func(ctx context.Context, s *Session) error) *Task[struct{}] {
	task := indivisible(t.s, opRunSync, noResult(func(ctx context.Context) error { return fn(ctx, t.s) }))
	task.exclusive = false // its caller knows what it accesses
	return task
}

// BatchFuncs calls functions that each perform a task of one statement, and
// sends these statements together if the database supports it; see
// [engine.Conn.BatchFuncs].
func (t Tasks) BatchFuncs(fns ...func()) {
	for len(fns) > 0 && t.s.tx.conn == nil {
		fns[0]()
		fns = fns[1:]
	}
	if len(fns) > 0 {
		t.s.tx.conn.BatchFuncs(fns...)
	}
}

// Keep makes the caller the only one to end the session's transaction, while it
// lends the session to a function. Until release is called, Commit, Rollback,
// Close, Reset and Invalidate do nothing but fail with an error that matches
// [engine.ErrTransactionManaged]. Savepoints are not affected. release reports
// whether such a method other than Commit was called: the transaction then
// contains work that the function believes undone, and must not be committed.
func (t Tasks) Keep() (release func() (broken bool)) {
	k := &keep{}
	t.s.kept = k
	return func() bool {
		t.s.kept = nil
		return k.broken
	}
}
