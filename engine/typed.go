package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// All runs a statement and returns its rows as values of T: a struct, whose
// fields package scan matches with column names, or a single value, for a
// statement of one column. If reading fails, the rows read so far are returned
// with the error.
func All[T any](ctx context.Context, ex Executor, st Statement) (rows []T, err error) {
	cur, plan, err := query[T](ctx, ex, st)
	if err != nil {
		return nil, err
	}
	defer func() { err = closeCursor(cur, err) }()
	return plan.Append(cur, nil)
}

// One runs a statement and returns its only row as a value of T. If there is no
// row the error matches [ErrNoResult], if there is more than one
// [ErrMultipleResults].
func One[T any](ctx context.Context, ex Executor, st Statement) (T, error) {
	value, ok, err := OneOrNone[T](ctx, ex, st)
	if err == nil && !ok {
		err = ErrNoResult
	}
	return value, err
}

// OneOrNone runs a statement and returns its only row as a value of T, or false
// if there is none. If there is more than one row the error matches
// [ErrMultipleResults].
func OneOrNone[T any](ctx context.Context, ex Executor, st Statement) (value T, ok bool, err error) {
	return first[T](ctx, ex, st, true)
}

// First runs a statement and returns its first row as a value of T, or false
// if there is none.
func First[T any](ctx context.Context, ex Executor, st Statement) (value T, ok bool, err error) {
	return first[T](ctx, ex, st, false)
}

func first[T any](ctx context.Context, ex Executor, st Statement, only bool) (value T, ok bool, err error) {
	cur, plan, err := query[T](ctx, ex, st)
	if err != nil {
		return value, false, err
	}
	defer func() {
		if err = closeCursor(cur, err); err != nil {
			var none T
			value, ok = none, false
		}
	}()
	if !cur.Next() {
		return value, false, cur.Err()
	}
	if err := plan.Scan(cur, &value); err != nil {
		return value, false, err
	}
	if only && cur.Next() {
		return value, false, ErrMultipleResults
	}
	return value, true, cur.Err()
}

// query runs a statement and plans how its rows are read into a T.
func query[T any](ctx context.Context, ex Executor, st Statement) (Cursor, *scan.Plan[T], error) {
	cur, err := ex.Query(ctx, st)
	if err != nil {
		return nil, nil, err
	}
	plan, err := planFor[T](ex.Dialect(), cur)
	if err != nil {
		return nil, nil, closeCursor(cur, err)
	}
	return cur, plan, nil
}

func planFor[T any](d *Dialect, cur Cursor) (*scan.Plan[T], error) {
	names := cur.Names()
	if len(names) == 0 {
		if err := cur.Err(); err != nil {
			return nil, err
		}
		return nil, ErrNoRows
	}
	return scan.PlanFor[T](names, scanOptions(d)...)
}

// scanOptions returns the options of a plan that reads rows of a dialect.
func scanOptions(d *Dialect) []scan.Option {
	if d.NativeScan {
		return nil
	}
	return converting
}

var converting = []scan.Option{scan.WithConversions()}

// closeCursor closes a cursor. If err is set, the error of closing is dropped.
func closeCursor(cur Cursor, err error) error {
	if cerr := cur.Close(); err == nil {
		return cerr
	}
	return err
}

// Scalar runs a statement and returns the first column of its first row, or
// false if there is no row. NULL needs a T that can hold it: a pointer or a
// [database/sql.Null].
func Scalar[T any](ctx context.Context, ex Executor, st Statement) (value T, ok bool, err error) {
	cur, err := ex.Query(ctx, st)
	if err != nil {
		return value, false, err
	}
	defer func() { err = closeCursor(cur, err) }()
	read, err := columnReader[T](ex.Dialect(), cur.Names(), 0)
	if err != nil {
		return value, false, err
	}
	if !cur.Next() {
		return value, false, cur.Err()
	}
	value, err = read(cur)
	return value, err == nil, err
}

// Scalars runs a statement and returns the first column of its rows. If reading
// fails, the values read so far are returned with the error.
func Scalars[T any](ctx context.Context, ex Executor, st Statement) (values []T, err error) {
	cur, err := ex.Query(ctx, st)
	if err != nil {
		return nil, err
	}
	defer func() { err = closeCursor(cur, err) }()
	read, err := columnReader[T](ex.Dialect(), cur.Names(), 0)
	if err != nil {
		return nil, err
	}
	for cur.Next() {
		value, err := read(cur)
		if err != nil {
			return values, err
		}
		values = append(values, value)
	}
	return values, cur.Err()
}

// Each returns an iterator over a statement's rows as values of T. It runs the
// statement, as a [Stream] with these options, each time it is ranged over, and
// returns the connection when the loop ends, early or not. An error is its last
// value.
func Each[T any](ctx context.Context, ex Executor, st Statement, opts ...StreamOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		s, err := ex.Stream(ctx, st, opts...)
		if err != nil {
			yield(none, err)
			return
		}
		stopped := false
		defer func() {
			if err := s.Close(); err != nil && !stopped {
				yield(none, err)
			}
		}()
		for value, err := range As[T](s).Iter() {
			if !yield(value, err) || err != nil {
				stopped = true
				return
			}
		}
	}
}

// As returns the rows of a result as values of T; see [All].
func As[T any](r Answer) *Rows[T] {
	base := r.rows()
	row := &scanned{base.src}
	var plan *scan.Plan[T]
	return derive(base, base.src, false, func(s source) (value T, err error) {
		if plan == nil {
			cols := s.columns()
			if plan, err = scan.PlanFor[T](cols.keys(), scanOptions(cols.dialect)...); err != nil {
				return value, err
			}
		}
		err = plan.Scan(row, &value)
		return value, err
	})
}

// ScalarsOf returns the values of one column, counted from 0, as
// values of T.
func ScalarsOf[T any](r Answer, column int) *Rows[T] {
	base := r.rows()
	row := &scanned{base.src}
	var read func(scan.Row) (T, error)
	return derive(base, base.src, false, func(s source) (value T, err error) {
		if read == nil {
			cols := s.columns()
			if read, err = columnReader[T](cols.dialect, cols.keys(), column); err != nil {
				return value, err
			}
		}
		return read(row)
	})
}

// scanned is the current row of a source, for package scan.
type scanned struct{ src source }

// Scan implements [scan.Row].
func (s *scanned) Scan(dest ...any) error { return s.src.scan(dest...) }

// columnReader returns a function that reads one column of a row.
func columnReader[T any](d *Dialect, names []string, column int) (func(row scan.Row) (T, error), error) {
	switch {
	case len(names) == 0:
		return nil, ErrNoRows
	case column < 0 || column >= len(names):
		return nil, fmt.Errorf("engine: fetch: there is no column %d of %d", column, len(names))
	}
	plan, err := scan.PlanFor[T](names[column:column+1], scanOptions(d)...)
	if err != nil {
		return nil, err
	}
	if len(names) == 1 {
		return func(row scan.Row) (value T, err error) {
			err = plan.Scan(row, &value)
			return value, err
		}, nil
	}
	dest := make([]any, len(names))
	for i := range dest {
		dest[i] = new(any)
	}
	var target []any
	return func(row scan.Row) (value T, err error) {
		target = plan.Targets(&value, target)
		dest[column] = target[0]
		if err = row.Scan(dest...); err != nil {
			return value, plan.Explain(onlyColumn(err))
		}
		return value, nil
	}, nil
}

// onlyColumn turns an error about one column of a row into one about the plan's
// only column.
func onlyColumn(err error) error {
	cause := err
	for inner := errors.Unwrap(cause); inner != nil; inner = errors.Unwrap(cause) {
		cause = inner
	}
	return scan.AtColumn(0, cause)
}
