package orm

import (
	"context"
	"reflect"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// load flushes, runs a statement whose rows are objects of a type, and passes
// the session's object of each row to yield until that returns false.
func (s *Session) load(ctx context.Context, typ reflect.Type, l *loading, yield func(obj memory.Pointer) bool) (err error) {
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
func (l *loading) apply(ctx context.Context) ([]memory.Pointer, error) {
	if err := l.flushing.apply(ctx); err != nil {
		return nil, err
	}
	return l.s.loader(l.rows.Table).Objects(ctx, &l.rows)
}

// typed returns objects as pointers of their type, in the same memory; never
// nil.
func typed[T any](objs []memory.Pointer) []*T {
	if len(objs) == 0 {
		return []*T{}
	}
	return memory.Objects[T](objs)
}

// objectsTask is a task that reads objects; give turns them into the result.
func objectsTask[T any](
	s *Session, op sp.Op, typ reflect.Type, l *loading, give func(objs []memory.Pointer) (T, error),
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

// Load reads the objects of relations, after a flush, in one query for each
// relation, however many objects there are (one for every 512 of them). A path
// such as "Players.Team" continues with the relations of the objects read.
// Relations that were read before are not read again; see [Session.Expire].
//
// The objects belong to the session. If a path does not exist, or an object is
// not persistent, Load returns an error.
func Load[T any](ctx context.Context, h Handle, objs []*T, paths ...string) error {
	s := h.blocking()
	_, err := do(ctx, TasksOf[T](s).Load(objs, paths...))
	return err
}

// Load is [Load] as a task.
func (t TypedTasks[T]) Load(objs []*T, paths ...string) *Task[struct{}] {
	s := t.s
	return indivisible(s, opScalars, noResult(func(ctx context.Context) error {
		t, err := mapping.Of(reflect.TypeFor[T]())
		if err != nil {
			return err
		}
		tree, err := query.Paths(t, paths)
		if err != nil {
			return err
		}
		if err := s.autoflush(ctx); err != nil {
			return err
		}
		states := make([]*identity.State, len(objs))
		for i, obj := range objs {
			st := s.objects.At(reflect.ValueOf(obj).UnsafePointer())
			if st == nil || st.Status != identity.Persistent {
				return identity.Invalid("load: object %d of %s is not persistent", i, t.FullName())
			}
			states[i] = st
		}
		return s.loader(t).Paths(ctx, tree, states)
	}))
}

// loader returns a loader that turns rows of a table into objects.
func (s *Session) loader(t *mapping.Table) *load.Loader {
	return &load.Loader{Map: s.objects, Journal: s.tx.journal(), Session: loads{s}, Tells: hooksOf(t).load}
}

// loads is the session as a loader sees it.
type loads struct{ s *Session }

// Connect implements [loaderSession].
func (l loads) Connect(ctx context.Context) (*engine.Conn, error) { return l.s.connect(ctx) }

// Loaded implements [loaderSession].
func (l loads) Loaded(ctx context.Context, st *identity.State) error { return l.s.afterLoad(ctx, st) }

// loadRelation reads the objects of a relation.
func (s *Session) loadRelation(ctx context.Context, r *mapping.Relation, st *identity.State) error {
	return s.loader(r.Other).Related(ctx, r, []*identity.State{st})
}
