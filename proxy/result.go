package proxy

import "github.com/sessionproxy/sessionproxy/engine"

// Optional is a value that may be missing: a row that is not there.
type Optional[T any] struct {
	// Value is the value; the zero value if there is none.
	Value T
	// OK reports whether there is one.
	OK bool
}

// An AsyncResult is a stream of rows: what [AsyncConnection.Stream] returns.
// [AsyncConnection.Execute] returns an [engine.Result], in memory, with nothing
// left to await.
type AsyncResult = Stream[engine.Row]

// An AsyncScalarResult is a stream of the values of one column.
type AsyncScalarResult = Stream[any]

// StreamAs returns a stream of the rows as values of T: a struct, or a single
// value for a statement of one column; see [engine.As].
func StreamAs[T any](rows AsyncResult) Stream[T] {
	return derive(rows, func(v *engine.Rows[engine.Row]) *engine.Rows[T] { return engine.As[T](v) })
}

// StreamScalarsAs returns a stream of the values of one column, counted from 0,
// as values of T; see [engine.ScalarsOf].
func StreamScalarsAs[T any](rows AsyncResult, column int) Stream[T] {
	return derive(rows, func(v *engine.Rows[engine.Row]) *engine.Rows[T] { return engine.ScalarsOf[T](v, column) })
}
