package orm

import (
	"context"
	"reflect"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// Execute flushes, runs a statement in the session's transaction and buffers
// its result.
func (s *Session) Execute(ctx context.Context, st engine.Statement) (*engine.Result, error) {
	return do(ctx, s.Tasks().Execute(st))
}

// Execute is [Session.Execute].
func (t Tasks) Execute(st engine.Statement) *Task[*engine.Result] {
	return statementTask(t.s, opExecute, func(ctx context.Context, conn *engine.Conn) (*engine.Result, error) {
		return conn.Execute(ctx, st)
	})
}

// statementTask is a task that flushes and reads a result that is not an
// object.
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

// Tuples is for package rows, not for callers: a task that flushes and reads rows of
// several values.
func (t Tasks) Tuples(l *load.Tuples) *Task[struct{}] {
	f := &flushing{s: t.s, auto: true}
	task := &Task[struct{}]{s: t.s, op: opScalars, undo: f.undo}
	task.plan = func(ctx context.Context) error {
		err := f.plan(ctx)
		task.barrier, task.single = f.needed(), !f.needed()
		return err
	}
	task.perform = func(ctx context.Context) error {
		if err := f.perform(ctx); err != nil {
			return err
		}
		conn, err := t.s.connect(ctx)
		if err != nil {
			return err
		}
		return l.Read(ctx, conn)
	}
	task.apply = noResult(func(ctx context.Context) error {
		if err := f.apply(ctx); err != nil {
			return err
		}
		return l.Finish(ctx, t.s.loader)
	})
	return task
}

// UseConn is a task that flushes and uses the session's connection, such as for
// a stream of rows. op is the operation under which it passes through the
// chain.
func (t Tasks) UseConn(op sp.Op, use func(ctx context.Context, conn *engine.Conn) error) *Task[struct{}] {
	task := statementTask(t.s, op, func(ctx context.Context, conn *engine.Conn) (struct{}, error) {
		return struct{}{}, use(ctx, conn)
	})
	plan := task.plan
	task.plan = func(ctx context.Context) error {
		err := plan(ctx)
		task.single = false // what it does is not known
		return err
	}
	return task
}

// Scalars flushes, runs a statement and returns the first column of every row.
// If V is a pointer to a struct with a table, each row is an object of the
// session, as for [Select.All]: the columns have the names of the table's
// columns and include its key. This turns any SQL text or builder's query into
// objects.
func Scalars[V any](ctx context.Context, h Handle, st engine.Statement) ([]V, error) {
	s := h.blocking()
	return do(ctx, TasksOf[V](s).Scalars(st))
}

// Scalars is [Scalars] as a task.
func (ts TypedTasks[V]) Scalars(st engine.Statement) *Task[[]V] {
	s, t := ts.s, entityType[V]()
	if t == nil {
		return statementTask(s, opScalars, func(ctx context.Context, conn *engine.Conn) ([]V, error) {
			return engine.Scalars[V](ctx, conn, st)
		})
	}
	return objectsTask(s, opScalars, t, &loading{rows: load.Rows{Statement: st}}, func(objs []memory.Pointer) ([]V, error) {
		values := make([]V, len(objs))
		for i, obj := range objs {
			values[i] = asEntity[V](obj)
		}
		return values, nil
	})
}

// Scalar flushes, runs a statement and returns the first column of the first
// row; false if there is no row. For a value that may be NULL use a pointer or
// a sql.Null. Objects are handled as by [Scalars].
func Scalar[V any](ctx context.Context, h Handle, st engine.Statement) (value V, ok bool, err error) {
	s := h.blocking()
	found, err := do(ctx, TasksOf[V](s).Scalar(st))
	return found.Value, found.OK, err
}

// Found is the value of a [Scalar], if there is one.
type Found[V any] struct {
	// Value is the value.
	Value V
	// OK says that there was a row.
	OK bool
}

// Scalar is [Scalar] as a task.
func (ts TypedTasks[V]) Scalar(st engine.Statement) *Task[Found[V]] {
	s, t := ts.s, entityType[V]()
	if t == nil {
		return statementTask(s, opScalar, func(ctx context.Context, conn *engine.Conn) (found Found[V], err error) {
			found.Value, found.OK, err = engine.Scalar[V](ctx, conn, st)
			return found, err
		})
	}
	task := objectsTask(s, opScalar, t, &loading{rows: load.Rows{Statement: st}}, func(objs []memory.Pointer) (found Found[V], err error) {
		if len(objs) > 0 {
			found = Found[V]{asEntity[V](objs[0]), true}
		}
		return found, nil
	})
	return task
}

// entityType returns the struct type that V points to, if it has a table.
func entityType[V any]() reflect.Type {
	t := reflect.TypeFor[V]()
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return nil
	}
	if _, err := mapping.Of(t.Elem()); err != nil {
		return nil
	}
	return t.Elem()
}

// asEntity returns an object as a V, which is a pointer to its type.
func asEntity[V any](obj memory.Pointer) V {
	return memory.Object[V](obj)
}
