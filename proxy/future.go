package proxy

import (
	"context"
)

// A Future is the result of an operation that may still be under way. It is a
// small value: copy it freely. The zero Future is settled with the zero value.
//
// A future of a blocking session is settled when it is returned. A future of an
// async session is pending until the operation has finished; [Future.Await]
// waits for it. An operation runs whether or not anyone awaits it.
//
// The futures of a session belong to the goroutine that owns the session:
// results are written into the caller's objects inside Await, and in the
// session's other methods, and nowhere else.
type Future[T any] struct {
	value T
	err   error
	from  source[T] // nil: settled
}

// source is where the result of a pending future comes from.
type source[T any] interface {
	await(ctx context.Context) (T, error)
	// signal is closed when await will not wait.
	signal() <-chan struct{}
}

// Settled returns a future that has value and err already.
func Settled[T any](value T, err error) Future[T] { return Future[T]{value: value, err: err} }

// Await waits for the operation and returns its result; awaited again, it
// returns the same. If ctx ends first, it returns the cause of ctx: that gives
// up the wait, not the operation. A panic of the operation is returned as a
// [*PanicError].
func (f Future[T]) Await(ctx context.Context) (T, error) {
	if f.from == nil {
		return f.value, f.err
	}
	return f.from.await(ctx)
}

// wait is Await for the error alone.
func (f Future[T]) wait(ctx context.Context) error {
	_, err := f.Await(ctx)
	return err
}

// Done returns a channel that is closed when the operation has finished and
// Await will not block. It only signals: results are written into objects by
// Await.
func (f Future[T]) Done() <-chan struct{} {
	if f.from == nil {
		return closed
	}
	return f.from.signal()
}

// Poll returns the result if the operation has finished, and ok false if not.
// It does not block. Like Await it writes results into objects.
func (f Future[T]) Poll() (value T, ok bool, err error) {
	if f.from == nil {
		return f.value, true, f.err
	}
	select {
	case <-f.from.signal():
		value, err = f.from.await(context.Background())
		return value, true, err
	default:
		return value, false, nil
	}
}

// closed is the Done of everything that is settled.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// A Completion is a [Future] of an operation without a result. The zero
// Completion has succeeded.
type Completion struct{ future Future[struct{}] }

// completed returns a completion that is settled with err.
func completed(err error) Completion { return Completion{Settled(struct{}{}, err)} }

// Await waits for the operation and returns its error; see [Future.Await].
func (c Completion) Await(ctx context.Context) error {
	_, err := c.future.Await(ctx)
	return err
}

// Done returns a channel that is closed when the operation has finished; see
// [Future.Done].
func (c Completion) Done() <-chan struct{} { return c.future.Done() }

// Poll returns the operation's error if it has finished, and ok false if not;
// see [Future.Poll].
func (c Completion) Poll() (ok bool, err error) {
	_, ok, err = c.future.Poll()
	return ok, err
}
