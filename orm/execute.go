package orm

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

// Execute flushes, runs a statement in the session's transaction and buffers
// its answer.
func (s *Session) Execute(ctx context.Context, st engine.Statement) (*engine.Result, error) {
	return do(ctx, s.Tasks().Execute(st))
}

// Execute is [Session.Execute].
func (t Tasks) Execute(st engine.Statement) *Task[*engine.Result] {
	return statementTask(t.s, sp.OpSessionExecute, func(ctx context.Context, conn *engine.Conn) (*engine.Result, error) {
		return conn.Execute(ctx, st)
	})
}

// statementTask is a task that flushes and reads something that is no object.
func statementTask[T any](s *Session, op sp.Op, read func(ctx context.Context, conn *engine.Conn) (T, error)) *Task[T] {
	f := &flushing{s: s, auto: true}
	task := &Task[T]{s: s, op: op, undo: f.undo}
	var out T
	task.plan = func(ctx context.Context) error {
		err := f.plan(ctx)
		task.barrier, task.single = f.needed(), !f.needed()
		return err
	}
	task.perform = func(ctx context.Context) error {
		if err := f.perform(ctx); err != nil {
			return err
		}
		conn, err := s.connect(ctx)
		if err != nil {
			return err
		}
		out, err = read(ctx, conn)
		return err
	}
	task.apply = func(ctx context.Context) (T, error) { return out, f.apply(ctx) }
	return task
}

// ConnTask is a task that flushes and uses the session's connection, such as
// for a stream of rows. op is the session's method that it counts as.
func ConnTask[T any](s *Session, op sp.Op, use func(ctx context.Context, conn *engine.Conn) (T, error)) *Task[T] {
	t := statementTask(s, op, use)
	plan := t.plan
	t.plan = func(ctx context.Context) error {
		err := plan(ctx)
		t.single = false // nobody knows what it does
		return err
	}
	return t
}
