package proxy

import (
	"context"
	"slices"
	"sync"

	"github.com/sessionproxy/sessionproxy/engine"
)

// streams are the open streams of a connection in program order: the first one
// may be open, the others wait for it.
type streams struct {
	mu   sync.Mutex
	list []*answer
}

func (s *streams) add(a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, a)
}

// last returns the last one, or nil.
func (s *streams) last() *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(a *answer) bool { return a.over.Load() || a.ending.Load() })
	if len(s.list) == 0 {
		return nil
	}
	return s.list[len(s.list)-1]
}

// end ends all of them; ctx is that of the operation that does it.
func (s *streams) end(ctx context.Context) {
	s.mu.Lock()
	list := s.list
	s.list = nil
	s.mu.Unlock()
	for _, a := range list {
		a.end(ctx)
	}
}

// behind is the future of an operation that waits for a stream. Awaiting it
// while the stream is open would last for ever, because it is the same
// goroutine that could close it.
type behind[T any] struct {
	Future[T]
	answer *answer
}

func (b behind[T]) await(ctx context.Context) (T, error) {
	select {
	case <-b.Done():
	default:
		if err := b.answer.blocked(ctx); err != nil {
			var none T
			return none, err
		}
	}
	return b.Future.Await(ctx)
}

func (b behind[T]) signal() <-chan struct{} { return b.Done() }

// after returns the future of an operation that comes after the streams.
func after[T any](a *answer, f Future[T]) Future[T] {
	if a == nil || f.from == nil {
		return f
	}
	return Future[T]{from: behind[T]{f, a}}
}

// opening is what opens a stream whose rows are read by view.
type opening[T any] struct {
	run  func(ctx context.Context) (*engine.Stream, error)
	view func(s *engine.Stream) *engine.View[T]
}

// rowsOf returns how the stream of a statement is opened, for its rows.
func rowsOf(ex engine.Executor, st engine.Statement, opts []engine.StreamOption) opening[engine.Row] {
	return opening[engine.Row]{
		run:  func(ctx context.Context) (*engine.Stream, error) { return ex.Stream(ctx, st, opts...) },
		view: func(s *engine.Stream) *engine.View[engine.Row] { return &s.View },
	}
}

// scalarsOf returns how the stream of a statement is opened, for the values of
// its first column.
func scalarsOf(ex engine.Executor, st engine.Statement, opts []engine.StreamOption) opening[any] {
	return opening[any]{
		run:  rowsOf(ex, st, opts).run,
		view: func(s *engine.Stream) *engine.View[any] { return s.Scalars() },
	}
}

// perform returns the operation that opens a stream.
func (o opening[T]) perform(a *answer) func(ctx context.Context) (Stream[T], error) {
	return func(ctx context.Context) (Stream[T], error) {
		if err := a.open(ctx, o.run); err != nil {
			return Stream[T]{}, err
		}
		return Stream[T]{&reading[T]{answer: a, view: o.view(a.stream)}}, nil
	}
}

// openOn opens a stream on a connection.
func openOn[T any](ctx context.Context, c *AsyncConnection, o opening[T]) Future[Stream[T]] {
	a := newAnswer(c.queue, c.engine.config.waiting)
	a.nested = a.inside(ctx)
	f := do(ctx, c, o.perform(a))
	if f.from == nil {
		return f // refused
	}
	a.opened = f.Done()
	a.opener = func(ctx context.Context) error {
		_, err := f.Await(ctx)
		return err
	}
	c.streams.add(a)
	return f
}

// openAlone opens a stream that has a connection to itself.
func openAlone[T any](ctx context.Context, e *AsyncEngine, o opening[T]) Future[Stream[T]] {
	return launch(ctx, e, o.perform(newAnswer(nil, e.config.waiting)))
}
