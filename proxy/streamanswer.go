package proxy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/engine"
)

// answer is an open stream of a connection. Its reads have a queue of their
// own, which is held until the stream is open; from then on that of the
// connection is held, until the stream has ended. So there is one goroutine at
// a time on the connection, and none while nobody reads.
type answer struct {
	queue  *queue          // of its reads
	ledger ledger          // of its reads
	conn   *queue          // the connection's; nil if the stream has it to itself
	nested bool            // opened by an operation of the connection, which uses it meanwhile
	caller context.Context //nolint:containedctx // what a stream of a session ends with; else it is the context it is opened in

	stream *engine.Stream // set when the stream is open
	cancel context.CancelCauseFunc
	stop   func() bool // of watching its context
	unbind func() bool // of watching caller; nil without one
	opened <-chan struct{}
	opener func(ctx context.Context) error // awaits opened

	ended  atomic.Bool // what was read ahead is not to be had any more
	over   atomic.Bool // the connection is free
	ending atomic.Bool // it will be, without anybody's doing
	mu     sync.Mutex
	last   *work // the last read that was asked for
}

func newAnswer(conn *queue, reads int) *answer {
	a := &answer{queue: newQueue(reads), conn: conn}
	a.queue.outer = conn
	a.queue.hold()
	return a
}

// open opens the stream, as an operation of the connection. The stream ends
// with ctx, unless the connection is in use by then: the next read finds out.
func (a *answer) open(ctx context.Context, run func(ctx context.Context) (*engine.Stream, error)) (err error) {
	ctx, opened := a.live(ctx)
	defer func() {
		opened()
		if a.stream == nil { // also if run panics
			a.over.Store(true)
			a.forget()
		}
		a.queue.release()
	}()
	s, err := run(ctx)
	if err != nil {
		return err
	}
	if a.conn != nil {
		a.conn.hold()
	}
	a.stream = s
	a.stop = func() bool { return true }
	if !a.nested {
		a.stop = context.AfterFunc(ctx, a.queueEnd)
	}
	return nil
}

// live returns the context that the stream lives in, made of the one it is
// opened in, and a function that is called when it is open. The method of a
// session that opens a stream is over when it is open, and interceptors end
// their contexts then: what was made for the method governs the opening alone.
func (a *answer) live(ctx context.Context) (life context.Context, opened func()) {
	if a.caller == nil {
		life, a.cancel = context.WithCancelCause(ctx)
		return life, func() {}
	}
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	a.cancel = cancel
	a.unbind = context.AfterFunc(a.caller, func() { cancel(context.Cause(a.caller)) })
	leave := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return life, func() { leave() }
}

// forget ends what live began.
func (a *answer) forget() {
	if a.unbind != nil {
		a.unbind()
	}
	a.cancel(nil)
}

// free lets the connection go on.
func (a *answer) free() {
	if a.stream == nil || a.over.Swap(true) {
		return
	}
	a.stop()
	a.forget()
	if a.conn != nil {
		a.conn.release()
	}
}

// close ends the stream, on the goroutine of its reads.
func (a *answer) close() error {
	if a.stream == nil {
		return nil
	}
	defer a.free()
	return a.stream.Close()
}

// finish ends the stream for its reader too.
func (a *answer) finish() error {
	a.ended.Store(true)
	return a.close()
}

// end ends the stream, after the reads that were asked for. Its reader learns of
// it when it reads on.
func (a *answer) end(ctx context.Context) {
	if a.inside(ctx) {
		_ = a.finish()
		return
	}
	a.queueEnd()
}

func (a *answer) queueEnd() {
	if a.ending.Swap(true) {
		return
	}
	j := newJob(context.Background(), nothing(func(context.Context) error {
		_ = a.finish()
		return nil
	}), nil)
	_ = a.queue.submit(&j.work) // it is never closed, and the context does not end
}

// inside reports whether ctx is that of an operation of the connection, which
// has the stream to itself.
func (a *answer) inside(ctx context.Context) bool { return a.conn != nil && workerOf(ctx) == a.conn }

// ask queues a read.
func ask[T any](ctx context.Context, a *answer, perform func(ctx context.Context) (T, error), apply func(T) (T, error)) Future[T] {
	j := newJob(ctx, perform, apply)
	j.work.queue = a.queue
	if a.inside(ctx) {
		j.run(ctx)
		j.settle()
		return Future[T]{from: j}
	}
	if a.ending.Load() {
		j.seen.Store(true) // a read after the end is no failure of an operation
	}
	a.ledger.settleReady()
	if err := a.queue.submit(&j.work); err != nil {
		var none T
		return Settled(none, err)
	}
	a.ledger.add(&j.work)
	a.mu.Lock()
	a.last = &j.work
	a.mu.Unlock()
	return Future[T]{from: j}
}

// errBehindStream is the answer to a wait that would not end.
var errBehindStream = fmt.Errorf("proxy: await: the operation waits for a stream that is open: %w", engine.ErrConnBusy)

// blocked waits until the stream is open and its reads are through, and returns
// an error if it keeps the connection all the same.
func (a *answer) blocked(ctx context.Context) error {
	err := a.opener(ctx)
	select {
	case <-a.opened:
	default:
		return err // about the wait
	}
	a.mu.Lock()
	last := a.last
	a.mu.Unlock()
	if last != nil {
		select {
		case <-last.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err != nil || a.over.Load() || a.ending.Load() {
		return nil
	}
	return errBehindStream
}

// because adds to the error of a read why it was given up.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w: %w", err, context.Cause(ctx))
}
