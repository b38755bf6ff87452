package queue

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// A Queue performs the operations of a session, one after the other in the
// order of submission. It has a goroutine only while there is work.
type Queue struct {
	places   chan struct{} // as many as operations may wait or be under way
	errs     *Errors
	outer    *Queue             // the one that keeps errors; nil: this one
	pipeline func(fns []func()) // see Pipeline

	mu      sync.Mutex
	waiting []*Operation
	room    []*Operation // for waiting, to be used again
	state   uint8
	held    bool // nothing is begun until release
	closed  bool
	failed  []*Operation // performed with an error that nobody has seen yet
}

// NewQueue returns a queue of at most limit operations, under way or waiting.
func NewQueue(limit int, errs *Errors) *Queue {
	return &Queue{places: make(chan struct{}, limit), errs: errs}
}

// Inner returns a queue of at most limit operations whose errors q keeps; q may
// be nil. It is held.
func (q *Queue) Inner(limit int, errs *Errors) *Queue {
	inner := NewQueue(limit, errs)
	inner.outer, inner.held = q, true
	return inner
}

// Pipeline makes the queue perform single-statement operations that wait
// together by one call of send, whose functions perform one each. It is called
// before the first operation is submitted.
func (q *Queue) Pipeline(send func(fns []func())) { q.pipeline = send }

// The states of a queue.
const (
	idle     uint8 = iota
	starting       // a goroutine was told to begin, and nobody has yet
	working
)

type workerKey struct{}

// workerContext is the context of an operation on the queue's goroutine.
type workerContext struct {
	context.Context // the operation's
	queue           *Queue
}

// Value implements [context.Context].
func (c *workerContext) Value(key any) any {
	if key == (workerKey{}) {
		return c.queue
	}
	return c.Context.Value(key)
}

// Of returns the queue on whose goroutine the operation of ctx runs, or nil.
func Of(ctx context.Context) *Queue {
	q, _ := ctx.Value(workerKey{}).(*Queue)
	return q
}

// Enter returns ctx as an operation on the queue's goroutine has it.
func (q *Queue) Enter(ctx context.Context) context.Context {
	return context.WithValue(ctx, workerKey{}, q)
}

// Submit queues op. If the queue is full it waits for a place until op's
// context is over. An operation submitted by another one of the same queue,
// which waits for it, is performed at once.
func (q *Queue) Submit(op *Operation) error {
	op.queue = q
	if Of(op.ctx) == q {
		q.do(op)
		return nil
	}
	select {
	case q.places <- struct{}{}:
	default:
		select {
		case q.places <- struct{}{}:
		case <-op.ctx.Done():
			return context.Cause(op.ctx)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		<-q.places
		return q.errs.Closed
	}
	if len(q.waiting) == 0 {
		q.waiting = q.room[:0]
	}
	if q.waiting = append(q.waiting, op); len(q.waiting) == 1 && cap(q.waiting) <= cap(q.places) {
		q.room = q.waiting
	}
	q.start()
	return nil
}

// start starts a goroutine for what is waiting, unless there is one or the
// queue is held. The caller has the lock.
func (q *Queue) start() {
	if q.state == idle && !q.held && len(q.waiting) > 0 {
		q.state = starting
		go q.run()
	}
}

// begin makes the caller the one that performs what is waiting, unless there is
// one already.
func (q *Queue) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != starting {
		return false
	}
	q.state = working
	return true
}

// steal performs op on the goroutine of its owner, which waits for nothing else,
// if only op waits and no goroutine has begun: changing goroutines takes longer
// than many operations do. Several that wait may travel together.
func (q *Queue) steal(op *Operation) {
	q.mu.Lock()
	if q.state != starting || q.held || len(q.waiting) != 1 || q.waiting[0] != op {
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
	q.perform(op)
}

// Hold keeps the queue from beginning further operations, once the one under
// way has ended, until Release. It does not wait.
func (q *Queue) Hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = true
}

// Release lets a held queue go on.
func (q *Queue) Release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = false
	q.start()
}

// run performs what is waiting and ends. An operation that ends the goroutine
// is followed by another one.
func (q *Queue) run() {
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
		op := q.next()
		if op == nil {
			break
		}
		if more := q.alike(op); len(more) > 0 {
			q.performPipelined(op, more)
			continue
		}
		q.perform(op)
	}
	through = true
}

// next takes the next operation, or notes that there is none.
func (q *Queue) next() *Operation {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.held {
		q.state = idle
		return nil
	}
	return q.pop()
}

func (q *Queue) pop() *Operation {
	op := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
	return op
}

// maxPipelined is how many operations are performed together at most.
const maxPipelined = 256

// alike takes the operations right after op that may be performed with it.
func (q *Queue) alike(op *Operation) (more []*Operation) {
	if q.pipeline == nil || !op.single {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && q.waiting[0].single && len(more) < maxPipelined-1 {
		more = append(more, q.pop())
	}
	return more
}

// performPipelined performs operations of one statement each, which are sent in
// one round trip where the database can.
func (q *Queue) performPipelined(op *Operation, more []*Operation) {
	fns := make([]func(), 0, len(more)+1)
	for _, op := range append([]*Operation{op}, more...) {
		fns = append(fns, func() { q.perform(op) })
	}
	if m, ok := op.task.(Traveller); ok {
		m.Travelled(len(fns))
	}
	q.pipeline(fns)
}

// perform performs an operation that has a place and gives the place back.
func (q *Queue) perform(op *Operation) {
	defer func() { <-q.places }()
	q.do(op)
}

func (q *Queue) do(op *Operation) {
	op.inner = workerContext{op.ctx, q}
	op.Run(&op.inner)
}

// note remembers an operation that failed until somebody has seen its error.
func (q *Queue) note(op *Operation) {
	if q.outer != nil {
		q.outer.note(op)
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = append(slices.DeleteFunc(q.failed, func(op *Operation) bool { return op.seen.Load() }), op)
}

// help performs what is waiting until w was performed, on the worker's
// goroutine, whose operation waits for op.
func (q *Queue) help(op *Operation) {
	for {
		select {
		case <-op.done:
			return
		default:
		}
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.mu.Unlock()
			<-op.done // under way elsewhere
			return
		}
		next := q.pop()
		q.mu.Unlock()
		q.perform(next)
	}
}

// Unseen returns the errors, joined, of operations that were performed and
// whose results nobody has taken, and forgets them.
func (q *Queue) Unseen() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var errs []error
	for _, op := range q.failed {
		if !op.seen.Load() {
			errs = append(errs, op.failure)
		}
	}
	q.failed = nil
	return errors.Join(errs...)
}

// Close refuses further operations. Those that were submitted still run.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
