package proxy

import "context"

// A Completion is a [Future] of an operation without a result.
type Completion struct{ future Future[struct{}] }

// Completed returns a completion that is settled with err.
func Completed(err error) Completion { return Completion{Settled(struct{}{}, err)} }

// Await waits for the operation and returns its error; see [Future.Await].
func (c Completion) Await(ctx context.Context) error {
	_, err := c.future.Await(ctx)
	return err
}

// Done returns a channel that is closed when the operation is through; see
// [Future.Done].
func (c Completion) Done() <-chan struct{} { return c.future.Done() }

// Poll returns the operation's error if it is through, and ok false if it is
// not; see [Future.Poll].
func (c Completion) Poll() (ok bool, err error) {
	_, ok, err = c.future.Poll()
	return ok, err
}
