package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
	"github.com/sessionproxy/sessionproxy/proxy/internal/stream"
)

// A Stream reads the rows of a result as values of T, with one window in
// memory. It is an [engine.Stream] for async code: its methods return futures
// or, for ranging over the rows, iterators that await. It is a small value:
// copy it freely.
//
//	rows, err := conn.Stream(ctx, engine.Text("SELECT … FROM big")).Await(ctx)
//	…
//	defer rows.Close(ctx)
//	for row, err := range rows.Iter(ctx) {
//		…
//	}
//
// Nothing is read before you ask for it, and then at most one window; see
// [engine.WithWindow]. Reads run one after the other, in the order of the
// calls. An error ends the stream; so does the end of a read's context during
// the read, and of the context that the stream was opened with.
//
// A stream has to be closed, unless it is read to its end. On a shared
// connection it makes all operations after it wait until then. It ends with
// Commit, Rollback or Close of the connection.
//
// A Stream is used by one goroutine at a time, as its connection is. Streams
// derived from one another share their position: do not mix them.
type Stream[T any] struct{ from *streamReader[T] }

// streamReader is how a stream reads its rows.
type streamReader[T any] struct {
	stream *stream.Stream
	view   *engine.Rows[T]
	origin origin
	adopt  *orm.Adopter[T] // of a session's objects; nil: the rows are nobody's
	wrong  error           // why the rows can't be read so

	mu    sync.Mutex
	ahead []T // of a window that is ranged over, those that are left
}

// origin is where a stream of a session comes from.
type origin struct {
	session   *orm.Session // nil: of no session
	statement engine.Statement
}

// own returns the session's object of a row, if rows are objects.
func (r *streamReader[T]) own(ctx context.Context, v T) (T, error) {
	if r.adopt == nil {
		return v, nil
	}
	return r.adopt.Object(ctx, r.view.Keys(), v)
}

func (r *streamReader[T]) ownAll(ctx context.Context, rows []T) ([]T, error) {
	if r.adopt == nil {
		return rows, nil
	}
	for i := range rows {
		var err error
		if rows[i], err = r.own(ctx, rows[i]); err != nil {
			return rows[:i], err
		}
	}
	return rows, nil
}

func (r *streamReader[T]) ownOptional(ctx context.Context, o Optional[T]) (_ Optional[T], err error) {
	if o.OK {
		o.Value, err = r.own(ctx, o.Value)
	}
	return o, err
}

// errNoStream is the answer to reading the zero Stream.
var errNoStream = fmt.Errorf("proxy: fetch: there is no stream: %w", engine.ErrClosed)

// take removes up to n of the rows that were read ahead, all if n is 0.
func (r *streamReader[T]) take(n int) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stream.Ended() {
		r.ahead = nil
	}
	if n == 0 || n > len(r.ahead) {
		n = len(r.ahead)
	}
	head := r.ahead[:n:n]
	r.ahead = r.ahead[n:]
	return head
}

// read queues a read of the stream. perform reports whether it has found the
// end of the rows, where the connection is free. own, if there is one, makes the
// session's objects of the rows, on its owner's goroutine.
func read[T, U any](
	ctx context.Context, s Stream[T], perform func(r *streamReader[T]) (out U, end bool, err error), own func(r *streamReader[T], ctx context.Context, out U) (U, error),
) Future[U] {
	if s.from == nil {
		var none U
		return Settled(none, errNoStream)
	}
	if s.from.wrong != nil {
		var none U
		return Settled(none, s.from.wrong)
	}
	st := s.from.stream
	var apply func(U) (U, error)
	if own != nil && s.from.adopt != nil {
		apply = func(out U) (U, error) { return own(s.from, ctx, out) }
	}
	return ask(ctx, st, func(ctx context.Context) (U, error) {
		returned := false
		defer func() {
			if !returned { // a Scanner has panicked
				_ = st.Close()
			}
		}()
		stop := context.AfterFunc(ctx, func() { st.Cancel(context.Cause(ctx)) })
		out, end, err := perform(s.from)
		stop()
		returned = true
		switch {
		case err != nil:
			_ = st.Close()    // its error does not matter after another
			if apply != nil { // these are nobody's objects
				var none U
				out = none
			}
		case end:
			st.Free()
		}
		return out, withCause(ctx, err)
	}, apply)
}

// ask queues a read.
func ask[T any](ctx context.Context, s *stream.Stream, perform func(ctx context.Context) (T, error), apply func(T) (T, error)) Future[T] {
	op := queue.New(ctx, failures, false, perform, apply)
	return futureOf(op, s.Read(ctx, &op.Operation))
}

// withCause adds to the error of a read why it was given up.
func withCause(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w: %w", err, context.Cause(ctx))
}

// FetchOne returns the next row, if there is one.
func (s Stream[T]) FetchOne(ctx context.Context) Future[Optional[T]] {
	return read(ctx, s, func(r *streamReader[T]) (Optional[T], bool, error) {
		if head := r.take(1); len(head) > 0 {
			return Optional[T]{head[0], true}, false, nil
		}
		value, ok, err := r.view.FetchOne()
		return Optional[T]{value, ok}, !ok, err
	}, (*streamReader[T]).ownOptional)
}

// FetchMany returns the next n rows, fewer at the end, none after it. An n
// below 1 is an error. If reading fails, the rows read so far are returned with
// the error.
func (s Stream[T]) FetchMany(ctx context.Context, n int) Future[[]T] {
	if n < 1 {
		return Settled[[]T](nil, fmt.Errorf("proxy: fetch many: %d is no number of rows", n))
	}
	return read(ctx, s, func(r *streamReader[T]) ([]T, bool, error) {
		head := r.take(n)
		if len(head) == n {
			return head, false, nil
		}
		rows, err := r.view.FetchMany(n - len(head))
		rows = append(head, rows...)
		return rows, len(rows) < n, err
	}, (*streamReader[T]).ownAll)
}

// All returns the remaining rows; a second call returns none. If reading fails,
// the rows read so far are returned with the error.
func (s Stream[T]) All(ctx context.Context) Future[[]T] {
	return read(ctx, s, func(r *streamReader[T]) ([]T, bool, error) {
		head := r.take(0)
		rows, err := r.view.All()
		return append(head, rows...), true, err
	}, (*streamReader[T]).ownAll)
}

// First returns the next row, if there is one, and closes the stream without
// reading the rest.
func (s Stream[T]) First(ctx context.Context) Future[Optional[T]] {
	return read(ctx, s, func(r *streamReader[T]) (Optional[T], bool, error) {
		if head := r.take(0); len(head) > 0 {
			return Optional[T]{head[0], true}, true, r.view.Close()
		}
		value, ok, err := r.view.First()
		return Optional[T]{value, ok}, true, err
	}, (*streamReader[T]).ownOptional)
}

// One returns the only remaining row and closes the stream. Without a row the
// error matches [engine.ErrNoResult], with more than one
// [engine.ErrMultipleResults].
func (s Stream[T]) One(ctx context.Context) Future[T] {
	return read(ctx, s, func(r *streamReader[T]) (T, bool, error) {
		only, err := r.oneOrNone()
		if err == nil && !only.OK {
			err = engine.ErrNoResult
		}
		return only.Value, true, err
	}, (*streamReader[T]).own)
}

// OneOrNone returns the only remaining row, if there is one, and closes the
// stream. With more than one row the error matches [engine.ErrMultipleResults].
func (s Stream[T]) OneOrNone(ctx context.Context) Future[Optional[T]] {
	return read(ctx, s, func(r *streamReader[T]) (Optional[T], bool, error) {
		only, err := r.oneOrNone()
		return only, true, err
	}, (*streamReader[T]).ownOptional)
}

// oneOrNone is the view's, after rows that were read ahead.
func (r *streamReader[T]) oneOrNone() (only Optional[T], err error) {
	head := r.take(0)
	if len(head) == 0 {
		only.Value, only.OK, err = r.view.OneOrNone()
		return only, err
	}
	more := len(head) > 1
	if !more {
		_, more, err = r.view.FetchOne()
	}
	if err == nil && more {
		err = engine.ErrMultipleResults
	}
	if err = errors.Join(err, r.view.Close()); err != nil {
		return only, err
	}
	return Optional[T]{head[0], true}, nil
}

// Close ends the stream without reading the rest, after the reads before it:
// further reads fail with an error that matches [engine.ErrClosed]. It does so
// even if ctx has ended, and whether or not it is awaited; defer it without
// Await, see [AsyncConnection.Close]. Closing twice does nothing.
func (s Stream[T]) Close(ctx context.Context) Completion {
	if s.from == nil {
		return completed(nil)
	}
	st := s.from.stream
	f := ask(context.WithoutCancel(ctx), st, nothing(func(context.Context) error {
		err := st.Finish()
		if st.Alone() {
			err = errors.Join(st.Unseen(), err)
		}
		return err
	}), nil)
	st.WillEnd()
	return complete(f)
}
