package proxy

import (
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Optional is the value of a row that may be missing.
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

// StreamAs returns a stream of an answer's rows as values of T: a struct, or a
// single value for a statement of one column; see [engine.As]. If T is a pointer
// to a struct with a table, and the answer a session's, they are the session's
// objects, one for each row, which it keeps until they are expunged; see
// [orm.Select.NoTrack].
func StreamAs[T any](rows AsyncResult) Stream[T] {
	out := derive(rows, func(v *engine.Rows[engine.Row]) *engine.Rows[T] { return engine.As[T](v) })
	if out.from == nil || rows.from.origin.session == nil {
		return out
	}
	if out.from.adopt, out.from.wrong = orm.TasksOf[T](rows.from.origin.session).Adopt(rows.from.origin.statement); out.from.adopt != nil {
		out.from.adopt.Opened()
	}
	return out
}

// StreamScalarsAs returns a stream of the values of one column, counted from 0,
// as values of T; see [engine.ScalarsOf].
func StreamScalarsAs[T any](rows AsyncResult, column int) Stream[T] {
	return derive(rows, func(v *engine.Rows[engine.Row]) *engine.Rows[T] { return engine.ScalarsOf[T](v, column) })
}
