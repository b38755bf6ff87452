package orm

import (
	"context"
	"reflect"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// load flushes, runs a statement whose rows are objects of a type, and passes
// the session's object of each row to yield until that returns false.
func (s *Session) load(ctx context.Context, typ reflect.Type, l *loading, yield func(obj unsafe.Pointer) bool) (err error) {
	if l.rows.Table, err = mapping.Of(typ); err != nil {
		return err
	}
	conn, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return s.loader(l.rows.Table).Each(ctx, conn, &l.rows, yield)
}

// loading reads objects, after a flush.
type loading struct {
	flushing
	rows load.Rows
}

// perform reads the rows.
func (l *loading) perform(ctx context.Context) (err error) {
	if err := l.flushing.perform(ctx); err != nil {
		return err
	}
	conn, err := l.s.connect(ctx)
	if err != nil {
		return err
	}
	return l.rows.Read(ctx, conn)
}

// apply returns the objects of the rows, which are the session's unless they
// are loose.
func (l *loading) apply(ctx context.Context) ([]unsafe.Pointer, error) {
	if err := l.flushing.apply(ctx); err != nil {
		return nil, err
	}
	return l.s.loader(l.rows.Table).Objects(ctx, &l.rows)
}

// typed returns objects as pointers of their type, in the same memory; never
// nil.
func typed[T any](objs []unsafe.Pointer) []*T {
	if len(objs) == 0 {
		return []*T{}
	}
	return unsafe.Slice((**T)(unsafe.Pointer(unsafe.SliceData(objs))), len(objs)) //nolint:gosec // pointers read as pointers
}

// objectsTask is a task that reads objects; give turns them into the result.
func objectsTask[T any](
	s *Session, op sp.Op, typ reflect.Type, l *loading, give func(objs []unsafe.Pointer) (T, error),
) *Task[T] {
	l.flushing = flushing{s: s, auto: true}
	task := &Task[T]{s: s, op: op, perform: l.perform, undo: l.undo}
	task.plan = func(ctx context.Context) (err error) {
		if l.rows.Table, err = mapping.Of(typ); err != nil {
			return err
		}
		err = l.plan(ctx)
		task.barrier, task.single = l.needed(), !l.needed()
		return err
	}
	task.apply = func(ctx context.Context) (out T, err error) {
		objs, err := l.apply(ctx)
		if err != nil {
			return out, err
		}
		return give(objs)
	}
	return task
}

// ready flushes and returns the connection of the transaction.
func (s *Session) ready(ctx context.Context) (*engine.Conn, error) {
	if err := s.autoflush(ctx); err != nil {
		return nil, err
	}
	return s.connect(ctx)
}
