package orm

import (
	"context"
)

// Query is a [Select] bound to a session, like SQLAlchemy's legacy Query:
//
//	users, err := orm.NewQuery[User](s).Filter("age > ?", 17).OrderBy("name").All(ctx)
//
// It is immutable: every method returns another one.
type Query[T any] struct {
	s *Session
	q Select[T]
}

// NewQuery returns a query for all objects of type T.
func NewQuery[T any](h Handle) Query[T] { return Query[T]{h.blocking(), From[T]()} }

// Filter is [Select.Where].
func (q Query[T]) Filter(condition any, args ...any) Query[T] {
	return Query[T]{q.s, q.q.Where(condition, args...)}
}

// Join is [Select.Join].
func (q Query[T]) Join(relation any, row ...any) Query[T] {
	return Query[T]{q.s, q.q.Join(relation, row...)}
}

// With is [Select.With].
func (q Query[T]) With(paths ...string) Query[T] { return Query[T]{q.s, q.q.With(paths...)} }

// OrderBy is [Select.OrderBy].
func (q Query[T]) OrderBy(order ...any) Query[T] { return Query[T]{q.s, q.q.OrderBy(order...)} }

// Row is [Select.Row].
func (q Query[T]) Row() *T { return q.q.Row() }

// Limit is [Select.Limit].
func (q Query[T]) Limit(n int) Query[T] { return Query[T]{q.s, q.q.Limit(n)} }

// Offset is [Select.Offset].
func (q Query[T]) Offset(n int) Query[T] { return Query[T]{q.s, q.q.Offset(n)} }

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
