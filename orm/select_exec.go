package orm

import (
	"context"
	"fmt"
	"iter"
	"reflect"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/memory"
	"github.com/sessionproxy/sessionproxy/orm/internal/identity"
	"github.com/sessionproxy/sessionproxy/orm/internal/load"
	"github.com/sessionproxy/sessionproxy/orm/internal/query"
	"github.com/sessionproxy/sessionproxy/orm/mapping"
)

// All returns the objects. They are allocated in blocks of up to 8: keeping a
// single object alive keeps its whole block in memory.
func (q Select[T]) All(ctx context.Context, h Handle) ([]*T, error) {
	return do(ctx, q.AllTask(h.blocking()))
}

// AllTask is [Select.All] as a task.
func (q Select[T]) AllTask(s *Session) *Task[[]*T] {
	if q.Relations() {
		return indivisible(s, opScalars, func(ctx context.Context) ([]*T, error) { return q.all(ctx, s) })
	}
	return objectsTask(s, opScalars, reflect.TypeFor[T](), q.loading(), func(objs []memory.Pointer) ([]*T, error) {
		return typed[T](objs), nil
	})
}

func (q Select[T]) loading() *loading {
	return &loading{rows: load.Rows{Statement: q, Populate: q.populate, Loose: q.loose}}
}

// all reads the objects and those of their relations.
func (q Select[T]) all(ctx context.Context, s *Session) ([]*T, error) {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	paths, err := query.Paths(t, q.with)
	if err != nil {
		return nil, err
	}
	if q.loose {
		return nil, fmt.Errorf("orm: select %T: relations can't be read of objects that the session does not keep", *new(T))
	}
	objs, err := q.own(ctx, s, t)
	if err == nil && len(objs) > 0 {
		states := make([]*identity.State, 0, len(objs))
		for _, obj := range objs {
			if st := s.objects.At(obj); st != nil { // a hook may have removed it
				states = append(states, st)
			}
		}
		err = s.loader(t).Paths(ctx, paths, states)
	}
	if err != nil {
		return nil, err
	}
	return typed[T](objs), nil
}

// own reads the query's objects, and what is read along with them.
func (q Select[T]) own(ctx context.Context, s *Session, t *mapping.Table) ([]memory.Pointer, error) {
	if len(q.q.Fill) > 0 {
		return q.filled(ctx, s, t)
	}
	l := q.loading()
	l.flushing, l.rows.Table = flushing{s: s, auto: true}, t
	if err := l.plan(ctx); err != nil {
		return nil, err
	}
	if err := l.perform(ctx); err != nil {
		l.undo(ctx, err)
		return nil, err
	}
	return l.apply(ctx)
}

// Each returns an iterator over the objects. Until the loop ends the session
// can do nothing else that needs the database. With [Select.With], all objects
// are read before the first is yielded. An error ends the iteration.
func (q Select[T]) Each(ctx context.Context, h Handle) iter.Seq2[*T, error] {
	s := h.blocking()
	return func(yield func(*T, error) bool) {
		more := true
		err := s.run(ctx, opScalars, func(ctx context.Context) error {
			if !q.Relations() {
				return s.load(ctx, reflect.TypeFor[T](), q.loading(), func(obj memory.Pointer) bool {
					more = yield((*T)(obj), nil)
					return more
				})
			}
			objs, err := q.all(ctx, s)
			for _, obj := range objs {
				if more = err == nil && yield(obj, nil); !more {
					break
				}
			}
			return err
		})
		if err != nil && more {
			yield(nil, err)
		}
	}
}

// First returns the first object, or nil if there is none.
func (q Select[T]) First(ctx context.Context, h Handle) (*T, error) {
	return do(ctx, q.FirstTask(h.blocking()))
}

// FirstTask is [Select.First] as a task.
func (q Select[T]) FirstTask(s *Session) *Task[*T] {
	return narrowed(s, q.Limit(1), func(objs []*T) (*T, error) {
		if len(objs) == 0 {
			return nil, nil
		}
		return objs[0], nil
	})
}

// narrowed is a task that picks one object of a query's.
func narrowed[T any](s *Session, q Select[T], pick func(objs []*T) (*T, error)) *Task[*T] {
	if q.Relations() {
		return indivisible(s, opScalar, func(ctx context.Context) (*T, error) {
			objs, err := q.all(ctx, s)
			if err != nil {
				return nil, err
			}
			return pick(objs)
		})
	}
	return objectsTask(s, opScalar, reflect.TypeFor[T](), q.loading(), func(objs []memory.Pointer) (*T, error) {
		return pick(typed[T](objs))
	})
}

// OneOrNone returns the only object, or nil if there is none. If there are
// several the error matches [engine.ErrMultipleResults].
func (q Select[T]) OneOrNone(ctx context.Context, h Handle) (*T, error) {
	return do(ctx, q.OneOrNoneTask(h.blocking()))
}

// OneOrNoneTask is [Select.OneOrNone] as a task.
func (q Select[T]) OneOrNoneTask(s *Session) *Task[*T] { return narrowed(s, q.Limit(2), only[T]) }

// only returns the only object, or nil.
func only[T any](objs []*T) (*T, error) {
	switch len(objs) {
	case 0:
		return nil, nil
	case 1:
		return objs[0], nil
	default:
		return nil, fmt.Errorf("orm: select one %T: %w", *new(T), engine.ErrMultipleResults)
	}
}

// One is [Select.OneOrNone], but if there is no object the error matches
// [engine.ErrNoResult].
func (q Select[T]) One(ctx context.Context, h Handle) (*T, error) {
	return do(ctx, q.OneTask(h.blocking()))
}

// OneTask is [Select.One] as a task.
func (q Select[T]) OneTask(s *Session) *Task[*T] {
	return narrowed(s, q.Limit(2), func(objs []*T) (*T, error) {
		obj, err := only(objs)
		if err == nil && obj == nil {
			return nil, fmt.Errorf("orm: select one %T: %w", *new(T), engine.ErrNoResult)
		}
		return obj, err
	})
}

// Count returns the number of objects, regardless of limit and offset.
func (q Select[T]) Count(ctx context.Context, h Handle) (int64, error) {
	return do(ctx, q.CountTask(h.blocking()))
}

// CountTask is [Select.Count] as a task.
func (q Select[T]) CountTask(s *Session) *Task[int64] {
	return statementTask(s, opScalar, func(ctx context.Context, conn *engine.Conn) (int64, error) {
		return number[T](ctx, conn, q.q.Count)
	})
}

// Exists reports whether there is any object.
func (q Select[T]) Exists(ctx context.Context, h Handle) (bool, error) {
	return do(ctx, q.ExistsTask(h.blocking()))
}

// ExistsTask is [Select.Exists] as a task.
func (q Select[T]) ExistsTask(s *Session) *Task[bool] {
	return statementTask(s, opScalar, func(ctx context.Context, conn *engine.Conn) (bool, error) {
		n, err := number[T](ctx, conn, q.q.Exists)
		return n > 0, err
	})
}

// number reads a statement's single number about rows of T.
func number[T any](ctx context.Context, ex engine.Executor, of func(*engine.Dialect, *mapping.Table) (engine.Statement, error)) (int64, error) {
	t, err := mapping.Of(reflect.TypeFor[T]())
	if err != nil {
		return 0, err
	}
	st, err := of(ex.Dialect(), t)
	if err != nil {
		return 0, fmt.Errorf("orm: select: %w", err)
	}
	n, ok, err := engine.Scalar[int64](ctx, ex, st)
	if err == nil && !ok {
		err = fmt.Errorf("orm: select: %w", engine.ErrNoResult)
	}
	return n, err
}

// All is [Select.All].
func (q Query[T]) All(ctx context.Context) ([]*T, error) { return as(ctx, q.q.AllTask(q.s)) }

// First is [Select.First].
func (q Query[T]) First(ctx context.Context) (*T, error) { return as(ctx, q.q.FirstTask(q.s)) }

// One is [Select.One].
func (q Query[T]) One(ctx context.Context) (*T, error) { return as(ctx, q.q.OneTask(q.s)) }

// Count is [Select.Count].
func (q Query[T]) Count(ctx context.Context) (int64, error) { return as(ctx, q.q.CountTask(q.s)) }

// as runs a task under the operation of a query.
func as[T any](ctx context.Context, t *Task[T]) (T, error) {
	t.op = opQuery
	return do(ctx, t)
}
