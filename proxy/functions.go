package proxy

import (
	"context"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/orm/rows"
)

// Get is [orm.Get] on a session of any kind.
func Get[T any, K any](ctx context.Context, h Handle, key K, opts ...orm.GetOption) Future[*T] {
	s, a := h.handle()
	if a == nil {
		return Settled(orm.Get[T](ctx, s.Session, key, opts...))
	}
	return submit(ctx, a, orm.TasksOf[T](a.core).Get(key, opts...))
}

// GetOne is [orm.GetOne] on a session of any kind.
func GetOne[T any, K any](ctx context.Context, h Handle, key K, opts ...orm.GetOption) Future[*T] {
	s, a := h.handle()
	if a == nil {
		return Settled(orm.GetOne[T](ctx, s.Session, key, opts...))
	}
	return submit(ctx, a, orm.TasksOf[T](a.core).GetOne(key, opts...))
}

// Merge is [orm.Merge] on a session of any kind. An async session blocks until
// it has finished.
func Merge[T any](ctx context.Context, h Handle, obj *T, opts ...orm.MergeOption) Future[*T] {
	s, a := h.handle()
	if a == nil {
		return Settled(orm.Merge(ctx, s.Session, obj, opts...))
	}
	return submit(ctx, a, orm.TasksOf[T](a.core).Merge(obj, opts...))
}

// Scalars is [orm.Scalars] on a session of any kind.
func Scalars[V any](ctx context.Context, h Handle, st engine.Statement) Future[[]V] {
	s, a := h.handle()
	if a == nil {
		return Settled(orm.Scalars[V](ctx, s.Session, st))
	}
	return submit(ctx, a, orm.TasksOf[V](a.core).Scalars(st))
}

// Scalar is [orm.Scalar] on a session of any kind: the first column of the first
// row, if there is one.
func Scalar[V any](ctx context.Context, h Handle, st engine.Statement) Future[Optional[V]] {
	s, a := h.handle()
	if a == nil {
		v, ok, err := orm.Scalar[V](ctx, s.Session, st)
		return Settled(Optional[V]{v, ok}, err)
	}
	return convert(submit(ctx, a, orm.TasksOf[V](a.core).Scalar(st)), func(f orm.Found[V]) Optional[V] { return Optional[V]{f.Value, f.OK} })
}

// Load is [orm.Load] on a session of any kind. An async session blocks until it
// has finished.
func Load[T any](ctx context.Context, h Handle, objs []*T, paths ...string) Completion {
	s, a := h.handle()
	if a == nil {
		return completed(orm.Load(ctx, s.Session, objs, paths...))
	}
	return complete(submit(ctx, a, orm.TasksOf[T](a.core).Load(objs, paths...)))
}

// FindAll is [orm.Select.All] on a session of any kind. If the query reads
// relations, an async session blocks.
func FindAll[T any](ctx context.Context, h Handle, q orm.Select[T]) Future[[]*T] {
	s, a := h.handle()
	if a == nil {
		return Settled(q.All(ctx, s.Session))
	}
	return submit(ctx, a, q.AllTask(a.core))
}

// FindRows is [rows.Query.All] on a session of any kind.
func FindRows[R any](ctx context.Context, h Handle, q rows.Query[R]) Future[[]R] {
	s, a := h.handle()
	if a == nil {
		return Settled(q.All(ctx, s.Session))
	}
	task, result := q.Task(a.core.Tasks())
	return convert(submit(ctx, a, task), func(struct{}) []R { return result() })
}

// FindFirst is [orm.Select.First] on a session of any kind.
func FindFirst[T any](ctx context.Context, h Handle, q orm.Select[T]) Future[*T] {
	s, a := h.handle()
	if a == nil {
		return Settled(q.First(ctx, s.Session))
	}
	return submit(ctx, a, q.FirstTask(a.core))
}

// FindOne is [orm.Select.One] on a session of any kind.
func FindOne[T any](ctx context.Context, h Handle, q orm.Select[T]) Future[*T] {
	s, a := h.handle()
	if a == nil {
		return Settled(q.One(ctx, s.Session))
	}
	return submit(ctx, a, q.OneTask(a.core))
}

// Count is [orm.Select.Count] on a session of any kind.
func Count[T any](ctx context.Context, h Handle, q orm.Select[T]) Future[int64] {
	s, a := h.handle()
	if a == nil {
		return Settled(q.Count(ctx, s.Session))
	}
	return submit(ctx, a, q.CountTask(a.core))
}

// Exists is [orm.Select.Exists] on a session of any kind.
func Exists[T any](ctx context.Context, h Handle, q orm.Select[T]) Future[bool] {
	s, a := h.handle()
	if a == nil {
		return Settled(q.Exists(ctx, s.Session))
	}
	return submit(ctx, a, q.ExistsTask(a.core))
}

// Query returns a query of SQLAlchemy's older style, bound to a blocking
// session. For an async session the error is an [*UnsupportedError].
func Query[T any](h Handle) (orm.Query[T], error) {
	s, a := h.handle()
	if a != nil {
		return orm.Query[T]{}, errAsyncQuery
	}
	return orm.NewQuery[T](s.Session), nil
}

// RunSync calls fn, a blocking function, with the session below an async one,
// on the goroutine of its operations, after those before it. fn has exclusive
// use of the session: it uses the one it is given, and may await futures of the
// async session's methods to which it passes its context. Until the future is
// awaited, the objects belong to fn. A blocking session has no RunSync: the
// error is an [*UnsupportedError].
func RunSync[R any](ctx context.Context, h Handle, fn func(ctx context.Context, s *orm.Session) (R, error)) Future[R] {
	_, a := h.handle()
	if a == nil {
		var none R
		return Settled[R](none, errBlockingRunSync)
	}
	var out R
	return convert(submit(ctx, a, a.core.Tasks().RunSync(func(ctx context.Context, s *orm.Session) (err error) {
		out, err = fn(ctx, s)
		return err
	})), func(struct{}) R { return out })
}

// StreamOf returns a stream of a statement's rows as values of T, on an async
// session; see [AsyncSession.Stream] and [StreamAs]. If T is a pointer to a
// struct with a table they are the session's objects. For a blocking session
// the error is an [*UnsupportedError]. A query that reads relations can't be
// streamed; see [Each].
func StreamOf[T any](ctx context.Context, h Handle, st engine.Statement, opts ...engine.StreamOption) Future[Stream[T]] {
	_, a := h.handle()
	if a == nil {
		return Settled(Stream[T]{}, error(errBlockingStream))
	}
	if _, err := orm.TasksOf[T](a.core).Adopt(st); err != nil {
		return Settled(Stream[T]{}, err)
	}
	return convert(a.Stream(ctx, st, opts...), StreamAs[T])
}

// Each returns an iterator over the objects of a query, on a session of any
// kind; on an async one it awaits a window at a time. Until the loop ends the
// session can do nothing else that needs the database; with relations, all
// objects are read before the first is yielded. An error is its last value.
func Each[T any](ctx context.Context, h Handle, q orm.Select[T], opts ...engine.StreamOption) iter.Seq2[*T, error] {
	s, a := h.handle()
	if a == nil {
		return q.Each(ctx, s.Session)
	}
	return func(yield func(*T, error) bool) {
		if q.Relations() {
			objs, err := FindAll(ctx, h, q).Await(ctx)
			for _, obj := range objs {
				if !yield(obj, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
			}
			return
		}
		rows, err := StreamOf[*T](ctx, a, q, opts...).Await(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close(ctx)
		for obj, err := range rows.Iter(ctx) {
			if !yield(obj, err) {
				return
			}
		}
	}
}
