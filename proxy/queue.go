package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// queue performs a session's work, one after the other in the order of
// submission. It has a goroutine only while there is work.
type queue struct {
	places chan struct{} // as many as work may wait or be under way
	outer  *queue        // the one that is told of errors; nil: this one

	together func(fns []func()) // calls functions of one statement each; nil: there is nothing to gain

	mu      sync.Mutex
	waiting []*work
	room    []*work // for waiting, to be used again
	state   uint8
	held    bool // nothing is begun until release
	closed  bool
	failed  []*work // performed with an error that nobody has seen yet
}

func newQueue(limit int) *queue { return &queue{places: make(chan struct{}, limit)} }

// The states of a queue.
const (
	idle     uint8 = iota
	starting       // a goroutine was told to begin, and nobody has yet
	working
)

type workerKey struct{}

// workerContext is the context of an operation on the worker's goroutine.
type workerContext struct {
	context.Context //nolint:containedctx // the operation's
	queue           *queue
}

// Value implements [context.Context].
func (c *workerContext) Value(key any) any {
	if key == (workerKey{}) {
		return c.queue
	}
	return c.Context.Value(key)
}

// workerOf returns the queue on whose goroutine the operation of ctx runs, or
// nil.
func workerOf(ctx context.Context) *queue {
	q, _ := ctx.Value(workerKey{}).(*queue)
	return q
}

// submit queues w, waiting for a place if there is none until w's context is
// over. Work submitted by an operation of the queue itself, which waits for it,
// is performed at once.
func (q *queue) submit(w *work) error {
	w.queue = q
	if workerOf(w.ctx) == q {
		q.do(w)
		return nil
	}
	select {
	case q.places <- struct{}{}:
	default:
		select {
		case q.places <- struct{}{}:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		<-q.places
		return ErrClosed
	}
	if len(q.waiting) == 0 {
		q.waiting = q.room[:0]
	}
	if q.waiting = append(q.waiting, w); len(q.waiting) == 1 && cap(q.waiting) <= cap(q.places) {
		q.room = q.waiting
	}
	q.start()
	return nil
}

// start sees to it that what is waiting is performed, unless the queue is
// held. The caller has the lock.
func (q *queue) start() {
	if q.state == idle && !q.held && len(q.waiting) > 0 {
		q.state = starting
		go q.run()
	}
}

// begin makes the caller the one that performs what is waiting, unless there is
// one already.
func (q *queue) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != starting {
		return false
	}
	q.state = working
	return true
}

// steal performs w on the goroutine of the owner, who waits for nothing else,
// if it alone waits and no goroutine has begun: to change goroutines takes
// longer than many an operation. Several that wait may travel together.
func (q *queue) steal(w *work) {
	q.mu.Lock()
	if q.state != starting || q.held || len(q.waiting) != 1 || q.waiting[0] != w {
		q.mu.Unlock()
		return
	}
	q.state = working
	q.pop()
	q.mu.Unlock()
	defer func() { // also if the operation ends the goroutine
		q.mu.Lock()
		q.state = idle
		q.start()
		q.mu.Unlock()
	}()
	q.perform(w)
}

// hold keeps the queue from beginning further work when what is under way is
// through, until release. Nobody waits meanwhile but the work.
func (q *queue) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = true
}

// release lets a queue go on that was held.
func (q *queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = false
	q.start()
}

// run performs what is waiting and ends. An operation that ends the goroutine
// is followed by another one.
func (q *queue) run() {
	if !q.begin() {
		return
	}
	through := false
	defer func() {
		if !through {
			q.mu.Lock()
			q.state = starting
			q.mu.Unlock()
			go q.run()
		}
	}()
	for {
		w := q.next()
		if w == nil {
			break
		}
		if more := q.alike(w); len(more) > 0 {
			q.performTogether(w, more)
			continue
		}
		q.perform(w)
	}
	through = true
}

// next takes the next work, or notes that there is none.
func (q *queue) next() *work {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.held {
		q.state = idle
		return nil
	}
	return q.pop()
}

func (q *queue) pop() *work {
	w := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return w
}

// together is how many operations are performed together at most.
const together = 256

// alike takes those that wait right behind w and may be performed with it.
func (q *queue) alike(w *work) (more []*work) {
	if q.together == nil || !w.single {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && q.waiting[0].single && len(more) < together-1 {
		more = append(more, q.pop())
	}
	return more
}

// performTogether performs operations of one statement each, which are sent in
// one round trip where the database can.
func (q *queue) performTogether(w *work, more []*work) {
	fns := make([]func(), 0, len(more)+1)
	for _, w := range append([]*work{w}, more...) {
		fns = append(fns, func() { q.perform(w) })
	}
	if m, ok := w.task.(interface{ travelled(n int) }); ok {
		m.travelled(len(fns))
	}
	q.together(fns)
}

// perform performs work that has a place and gives the place back.
func (q *queue) perform(w *work) {
	defer func() { <-q.places }()
	q.do(w)
}

func (q *queue) do(w *work) {
	w.inner = workerContext{w.ctx, q}
	w.run(&w.inner)
}

// note remembers work that failed until somebody has seen its error.
func (q *queue) note(w *work) {
	if q.outer != nil {
		q.outer.note(w)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = append(slices.DeleteFunc(q.failed, func(w *work) bool { return w.seen.Load() }), w)
}

// help performs what is waiting until w was performed, on the worker's
// goroutine, whose operation waits for w.
func (q *queue) help(w *work) {
	for {
		select {
		case <-w.done:
			return
		default:
		}
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.mu.Unlock()
			<-w.done // under way elsewhere
			return
		}
		next := q.pop()
		q.mu.Unlock()
		q.perform(next)
	}
}

// unseen returns the errors of work that was performed and whose results
// nobody has taken, joined, and forgets them.
func (q *queue) unseen() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var errs []error
	for _, w := range q.failed {
		if !w.seen.Load() {
			errs = append(errs, w.failure)
		}
	}
	q.failed = nil
	return errors.Join(errs...)
}

// close refuses further work. What was submitted is performed all the same.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
