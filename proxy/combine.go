package proxy

import (
	"context"
	"errors"
	"reflect"
)

// errNoFutures is the error of [Any] without futures.
var errNoFutures = errors.New("proxy: any of no futures")

// All returns a future of the results of all futures, in their order. If any
// fails, it fails, once all have finished, with the error of the first in their
// order that failed.
func All[T any](futures ...Future[T]) Future[[]T] {
	return Future[[]T]{from: &combined[[]T]{sources: signals(futures), wait: waitForAll, make: func(ctx context.Context) ([]T, error) {
		out := make([]T, len(futures))
		var first error
		for i, f := range futures {
			v, err := f.Await(ctx)
			if err != nil && first == nil {
				first = err
			}
			out[i] = v
		}
		if first != nil {
			return nil, first
		}
		return out, nil
	}}}
}

// Any returns a future of the first success among futures, in the order in
// which they finish. If all of them fail, it fails with their errors joined.
// Without futures it fails.
func Any[T any](futures ...Future[T]) Future[T] {
	if len(futures) == 0 {
		var zero T
		return Settled(zero, errNoFutures)
	}
	var won *Future[T]
	var errs []error
	left := append([]Future[T](nil), futures...)
	// Each step awaits one that has finished, until one has succeeded.
	wait := func(ctx context.Context, _ []<-chan struct{}) error {
		for won == nil && len(left) > 0 {
			i, err := waitForOne(ctx, signals(left))
			if err != nil {
				return err
			}
			f := left[i]
			left = append(left[:i], left[i+1:]...)
			if _, err := f.Await(ctx); err != nil {
				errs = append(errs, err)
			} else {
				won = &f
			}
		}
		return nil
	}
	return Future[T]{from: &combined[T]{sources: signals(futures), wait: wait, make: func(ctx context.Context) (T, error) {
		if won != nil {
			return won.Await(ctx)
		}
		var zero T
		return zero, errors.Join(errs...)
	}}}
}

// Then returns a future of fn's result, given the result of f. fn runs once,
// inside Await, on the awaiting goroutine; it does not run if f failed.
func Then[T, U any](f Future[T], fn func(ctx context.Context, value T) (U, error)) Future[U] {
	return Future[U]{from: &combined[U]{sources: []<-chan struct{}{f.Done()}, wait: waitForAll, make: func(ctx context.Context) (U, error) {
		v, err := f.Await(ctx)
		if err != nil {
			var zero U
			return zero, err
		}
		return fn(ctx, v)
	}}}
}

// combined makes a result of others, once, inside Await.
type combined[T any] struct {
	sources []<-chan struct{}
	wait    func(ctx context.Context, sources []<-chan struct{}) error
	make    func(ctx context.Context) (T, error)

	made  bool
	value T
	err   error
	done  chan struct{} // made when somebody asks for it
}

func (c *combined[T]) await(ctx context.Context) (T, error) {
	if !c.made {
		if err := c.wait(ctx, c.sources); err != nil {
			var zero T
			return zero, err
		}
		c.value, c.err = c.make(ctx)
		c.made, c.make, c.wait = true, nil, nil
	}
	return c.value, c.err
}

// signal is closed when all sources have finished. If there are several, a
// goroutine watches them until then.
func (c *combined[T]) signal() <-chan struct{} {
	switch {
	case len(c.sources) == 0:
		return closed
	case len(c.sources) == 1:
		return c.sources[0]
	case c.done == nil:
		done := make(chan struct{})
		c.done = done
		go func() {
			defer close(done)
			for _, s := range c.sources {
				<-s
			}
		}()
	}
	return c.done
}

func signals[T any](futures []Future[T]) []<-chan struct{} {
	out := make([]<-chan struct{}, len(futures))
	for i, f := range futures {
		out[i] = f.Done()
	}
	return out
}

func waitForAll(ctx context.Context, sources []<-chan struct{}) error {
	for _, s := range sources {
		select {
		case <-s:
		default:
			select {
			case <-s:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// waitForOne returns the index of a source that has finished.
func waitForOne(ctx context.Context, sources []<-chan struct{}) (int, error) {
	cases := make([]reflect.SelectCase, 0, len(sources)+1)
	for i, s := range sources {
		select {
		case <-s:
			return i, nil
		default:
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(s)})
		}
	}
	cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())})
	i, _, _ := reflect.Select(cases)
	if i == len(sources) {
		return 0, context.Cause(ctx)
	}
	return i, nil
}
