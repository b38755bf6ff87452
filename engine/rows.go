package engine

import (
	"errors"
	"fmt"
	"iter"
)

// Rows reads the rows of a [Result] or [Stream] as values of type T. Several
// Rows on one result share its position: do not mix them. A Rows is used by one
// goroutine at a time.
type Rows[T any] struct {
	src  source
	read func(src source) (T, error)
	keep bool // read needs the row to be kept
	key  func(v T) (any, error)
	seen map[any]struct{}

	distinct bool // rows derived from these are unique too
}

// next returns the next row; if the rows are unique, the next that was not seen
// before.
func (v *Rows[T]) next() (value T, ok bool, err error) {
	for {
		ok, err = v.src.advance(v.keep)
		if !ok || err != nil {
			return value, false, err
		}
		if value, err = v.read(v.src); err != nil {
			return value, false, errors.Join(err, v.src.close())
		}
		if v.key == nil {
			return value, true, nil
		}
		fresh, err := v.fresh(value)
		if err != nil {
			return value, false, errors.Join(err, v.src.close())
		}
		if fresh {
			return value, true, nil
		}
	}
}

// fresh reports whether a value was not seen before.
func (v *Rows[T]) fresh(value T) (bool, error) {
	key, err := v.key(value)
	if err != nil {
		return false, err
	}
	if _, seen := v.seen[key]; seen {
		return false, nil
	}
	v.seen[key] = struct{}{}
	return true, nil
}

// FetchOne returns the next row; ok is false if there is none.
func (v *Rows[T]) FetchOne() (value T, ok bool, err error) { return v.next() }

// FetchMany returns the next n rows, fewer at the end, none after it. An n
// below 1 is an error. If reading fails, the rows read so far are returned with
// the error.
func (v *Rows[T]) FetchMany(n int) ([]T, error) {
	if n < 1 {
		return nil, fmt.Errorf("engine: fetch many: %d is no number of rows", n)
	}
	return v.fetch(n)
}

// fetch returns the next n rows, all if n is 0.
func (v *Rows[T]) fetch(n int) ([]T, error) {
	var out []T
	for n == 0 || len(out) < n {
		value, ok, err := v.next()
		if !ok || err != nil {
			return out, err
		}
		out = append(out, value)
	}
	return out, nil
}

// FetchAll is All.
func (v *Rows[T]) FetchAll() ([]T, error) { return v.fetch(0) }

// All returns the remaining rows; a second call returns none. If reading fails,
// the rows read so far are returned with the error.
func (v *Rows[T]) All() ([]T, error) { return v.fetch(0) }

// First returns the next row, or false if there is none, and closes the result
// without reading the rest.
func (v *Rows[T]) First() (value T, ok bool, err error) {
	value, ok, err = v.next()
	return value, ok, errors.Join(err, v.closeAfter(err))
}

// One returns the only row and closes the result. If there is no row the error
// matches [ErrNoResult], if there is more than one [ErrMultipleResults].
func (v *Rows[T]) One() (T, error) {
	value, ok, err := v.OneOrNone()
	if err == nil && !ok {
		err = ErrNoResult
	}
	return value, err
}

// OneOrNone returns the only row, or false if there is none, and closes the
// result. If there is more than one row the error matches [ErrMultipleResults].
func (v *Rows[T]) OneOrNone() (value T, ok bool, err error) {
	value, ok, err = v.next()
	if ok {
		var more bool
		if _, more, err = v.next(); more {
			err = ErrMultipleResults
		}
	}
	err = errors.Join(err, v.closeAfter(err))
	if err != nil {
		var none T
		return none, false, err
	}
	return value, ok, nil
}

// closeAfter closes the result, whose error does not matter after another.
func (v *Rows[T]) closeAfter(err error) error {
	if cerr := v.src.close(); err == nil {
		return cerr
	}
	return nil
}

// Iter returns an iterator over the remaining rows. An error is its last value.
// Leaving the loop early does not close the result.
func (v *Rows[T]) Iter() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			value, ok, err := v.next()
			if !ok && err == nil {
				return
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}

// Partitions returns an iterator over slices of n rows, the last one of fewer.
// An n below 1 means the window of a stream, or all rows of a result. An error
// is its last value, with the rows before it.
func (v *Rows[T]) Partitions(n int) iter.Seq2[[]T, error] {
	if n < 1 {
		n = v.src.batch()
	}
	return func(yield func([]T, error) bool) {
		for {
			part, err := v.fetch(n)
			if len(part) == 0 && err == nil {
				return
			}
			if !yield(part, err) || err != nil || n == 0 || len(part) < n {
				return
			}
		}
	}
}

// Close ends the result without reading the rest: later reads return an error
// that matches [ErrClosed]. Closing twice does nothing.
func (v *Rows[T]) Close() error { return v.src.close() }

// Keys returns the names of the result's columns.
func (v *Rows[T]) Keys() []string { return v.src.columns().keys() }
