package orm

import (
	"context"
	"reflect"
	"unsafe"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// load runs a statement whose rows are objects of a type, after a flush, and
// hands over the session's object of each row until yield returns false.
func (s *Session) load(ctx context.Context, typ reflect.Type, l *loading, yield func(obj unsafe.Pointer) bool) (err error) {
	if l.rows.table, err = mapping.Of(typ); err != nil {
		return err
	}
	conn, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return s.loader(l.rows.table).each(ctx, conn, &l.rows, yield)
}

// loading is the reading of objects, after a flush.
type loading struct {
	flushing
	rows rows
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
	return l.rows.read(ctx, conn)
}

// apply returns the objects of the rows, which are the session's unless they are
// loose.
func (l *loading) apply(ctx context.Context) ([]unsafe.Pointer, error) {
	if err := l.flushing.apply(ctx); err != nil {
		return nil, err
	}
	return l.s.loader(l.rows.table).objectsOf(ctx, &l.rows)
}

// loader returns what makes objects of rows of a table.
func (s *Session) loader(t *mapping.Table) *loader {
	return &loader{objects: s.objects, journal: s.tx.journal(), session: loads{s}, tells: hooksOf(t).load}
}

// loads is a session for a loader.
type loads struct{ s *Session }

// Connect implements [loaderSession].
func (l loads) Connect(ctx context.Context) (*engine.Conn, error) { return l.s.connect(ctx) }

// Loaded implements [loaderSession].
func (l loads) Loaded(ctx context.Context, st *state) error { return l.s.afterLoad(ctx, st) }

// loadRelation reads what a relation of an object holds.
func (s *Session) loadRelation(ctx context.Context, r *mapping.Relation, st *state) error {
	return s.loader(r.Other).related(ctx, r, []*state{st})
}

// typed returns objects as pointers of their type, in the same memory; never
// nil.
func typed[T any](objs []unsafe.Pointer) []*T {
	if len(objs) == 0 {
		return []*T{}
	}
	return unsafe.Slice((**T)(unsafe.Pointer(unsafe.SliceData(objs))), len(objs)) //nolint:gosec // pointers read as pointers
}

// objectsTask is a task that reads objects, of which give makes the result.
func objectsTask[T any](
	s *Session, op sp.Op, typ reflect.Type, l *loading, give func(objs []unsafe.Pointer) (T, error),
) *Task[T] {
	l.flushing = flushing{s: s, auto: true}
	task := &Task[T]{s: s, op: op, perform: l.perform, undo: l.undo}
	task.plan = func(ctx context.Context) (err error) {
		if l.rows.table, err = mapping.Of(typ); err != nil {
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
