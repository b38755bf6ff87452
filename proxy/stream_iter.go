package proxy

import (
	"context"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Iter returns an iterator over the remaining rows, which awaits one window at
// a time. An error is its last value. Leaving the loop early leaves the stream
// at the next row.
func (s Stream[T]) Iter(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			more, err := s.window(ctx)
			if err == nil && !more {
				return
			}
			for rows := s.take(1); len(rows) > 0; rows = s.take(1) {
				row, wrong := s.from.own(ctx, rows[0])
				if !yield(row, wrong) || wrong != nil {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
		}
	}
}

// Partitions returns an iterator over slices of n rows, the last one possibly
// shorter, each of which it awaits. An n below 1 means the window of the
// stream. An error is its last value, with the rows before it.
func (s Stream[T]) Partitions(ctx context.Context, n int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		for {
			rows, err := s.partition(ctx, n)
			if len(rows) == 0 && err == nil {
				return
			}
			if !yield(rows, err) || err != nil || len(rows) < n {
				return
			}
		}
	}
}

// partition awaits n rows, or a window of them.
func (s Stream[T]) partition(ctx context.Context, n int) ([]T, error) {
	if n > 0 {
		return s.FetchMany(ctx, n).Await(ctx)
	}
	_, err := s.window(ctx)
	rows := s.take(0)
	if err == nil && len(rows) > 0 {
		rows, err = s.from.ownAll(ctx, rows)
	}
	return rows, err
}

// window awaits that there are rows ahead: those that a loop has left, or else
// the next window. It reports whether there are any.
func (s Stream[T]) window(ctx context.Context) (bool, error) {
	return read(ctx, s, func(r *streamReader[T]) (bool, bool, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.ahead) > 0 && !r.stream.Ended() {
			return true, false, nil
		}
		for rows, err := range r.view.Partitions(0) {
			r.ahead = rows
			return len(rows) > 0, false, err
		}
		return false, true, nil
	}, nil).Await(ctx)
}

// take is the reading's.
func (s Stream[T]) take(n int) []T {
	if s.from == nil {
		return nil
	}
	return s.from.take(n)
}

// Keys returns the names of the columns.
func (s Stream[T]) Keys() []string {
	if s.from == nil {
		return nil
	}
	return s.from.view.Keys()
}

// Scalars returns a stream of the values of a column, counted from 0: the first
// if none is named.
func (s Stream[T]) Scalars(column ...int) Stream[any] {
	return derive(s, func(v *engine.Rows[T]) *engine.Rows[any] { return v.Scalars(column...) })
}

// Scalar returns the first column of the next row, nil if it is NULL or there is
// no row, and closes the stream.
func (s Stream[T]) Scalar(ctx context.Context) Future[any] {
	return convert(s.Scalars().First(ctx), func(o Optional[any]) any { return o.Value })
}

// ScalarOne returns the first column of the only row, nil if it is NULL, and
// closes the stream; see [Stream.One].
func (s Stream[T]) ScalarOne(ctx context.Context) Future[any] { return s.Scalars().One(ctx) }

// ScalarOneOrNone returns the first column of the only row, nil if it is NULL or
// there is no row, and closes the stream; see [Stream.OneOrNone].
func (s Stream[T]) ScalarOneOrNone(ctx context.Context) Future[any] {
	return convert(s.Scalars().OneOrNone(ctx), func(o Optional[any]) any { return o.Value })
}

// Mappings returns a stream of the rows as maps from the columns' names to
// their values. A name that several columns have is an error.
func (s Stream[T]) Mappings() Stream[map[string]any] { return derive(s, (*engine.Rows[T]).Mappings) }

// Columns returns a stream of the rows with the named columns only, in that
// order. If no column, or more than one, has a name, the first read returns an
// error.
func (s Stream[T]) Columns(names ...string) AsyncResult {
	return derive(s, func(v *engine.Rows[T]) *engine.Rows[engine.Row] { return v.Columns(names...) })
}

// Unique returns a stream without the rows that equal one before; see
// [engine.Rows.Unique]. It keeps what it has seen in memory.
func (s Stream[T]) Unique() Stream[T] {
	out := derive(s, (*engine.Rows[T]).Unique)
	if s.from != nil {
		out.from.adopt = s.from.adopt
	}
	return out
}

// derive returns a stream of what another reads, by a view of its view.
func derive[T, U any](s Stream[T], view func(v *engine.Rows[T]) *engine.Rows[U]) Stream[U] {
	if s.from == nil {
		return Stream[U]{}
	}
	return Stream[U]{&streamReader[U]{stream: s.from.stream, view: view(s.from.view), origin: s.from.origin}}
}
