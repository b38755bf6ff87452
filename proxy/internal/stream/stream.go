package stream

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
)

// A Stream is an open stream of a connection. The queue of its reads is held
// until the stream is open; from then on that of the connection is held, until
// the stream has ended. So there is one goroutine at a time on the connection,
// and none while nobody reads.
type Stream struct {
	errs   *queue.Errors
	reads  *queue.Queue
	due    queue.Unapplied // of its reads
	conn   *queue.Queue    // the connection's; nil if the stream has it to itself
	nested bool            // opened by an operation of the connection, which uses it meanwhile
	caller context.Context // what a stream of a session ends with; else it is the context it is opened in

	rows   *engine.Stream // set when the stream is open
	cancel context.CancelCauseFunc
	stop   func() bool // of watching its context
	unbind func() bool // of watching caller; nil without one
	opened <-chan struct{}
	await  func(ctx context.Context) error // for opened

	ended  atomic.Bool // what was read ahead must not be returned any more
	over   atomic.Bool // the connection is free
	ending atomic.Bool // it will be, without anybody's doing
	mu     sync.Mutex
	last   *queue.Operation // the last read that was asked for
}

// New returns a stream that is to be opened by an operation of ctx on the
// connection whose queue is conn, or on one of its own if conn is nil. At most
// reads of its reads may wait. caller, if not nil, is the context that the
// stream ends with; otherwise it is the one it is opened in.
func New(ctx context.Context, conn *queue.Queue, reads int, errs *queue.Errors, caller context.Context) *Stream {
	s := &Stream{errs: errs, reads: conn.Inner(reads, errs), conn: conn, caller: caller}
	s.nested = s.Inside(ctx)
	return s
}

// Announce tells when the operation that opens the stream has ended. It is
// called before anybody else may wait for the stream.
func (s *Stream) Announce(opened <-chan struct{}, await func(ctx context.Context) error) {
	s.opened, s.await = opened, await
}

// Open opens the stream with run, as an operation of the connection. The stream
// ends with ctx, unless the connection is in use by then: the next read finds
// out.
func (s *Stream) Open(ctx context.Context, run func(ctx context.Context) (*engine.Stream, error)) (err error) {
	ctx, opened := s.live(ctx)
	defer func() {
		opened()
		if s.rows == nil { // also if run panics
			s.over.Store(true)
			s.forget()
		}
		s.reads.Release()
	}()
	rows, err := run(ctx)
	if err != nil {
		return err
	}
	if s.conn != nil {
		s.conn.Hold()
	}
	s.rows = rows
	s.stop = func() bool { return true }
	if !s.nested {
		s.stop = context.AfterFunc(ctx, s.queueEnd)
	}
	return nil
}

// live returns the context that the stream lives in, made of the one it is
// opened in, and a function that is called when it is open. The method of a
// session that opens a stream is over when it is open, and interceptors end
// their contexts then: what was made for the method governs the opening alone.
func (s *Stream) live(ctx context.Context) (life context.Context, opened func()) {
	if s.caller == nil {
		life, s.cancel = context.WithCancelCause(ctx)
		return life, func() {}
	}
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.unbind = context.AfterFunc(s.caller, func() { cancel(context.Cause(s.caller)) })
	leave := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return life, func() { leave() }
}

// forget ends what live began.
func (s *Stream) forget() {
	if s.unbind != nil {
		s.unbind()
	}
	s.cancel(nil)
}

// Rows returns the rows of an open stream.
func (s *Stream) Rows() *engine.Stream { return s.rows }

// Ended reports whether the stream has ended for its reader.
func (s *Stream) Ended() bool { return s.ended.Load() }

// Alone reports whether the stream has a connection to itself.
func (s *Stream) Alone() bool { return s.conn == nil }

// Unseen returns the errors of reads that nobody has taken, if the stream keeps
// them itself.
func (s *Stream) Unseen() error { return s.reads.Unseen() }

// Cancel ends the stream's context.
func (s *Stream) Cancel(cause error) { s.cancel(cause) }

// Free lets the connection go on.
func (s *Stream) Free() {
	if s.rows == nil || s.over.Swap(true) {
		return
	}
	s.stop()
	s.forget()
	if s.conn != nil {
		s.conn.Release()
	}
}

// Close ends the stream, on the goroutine of its reads.
func (s *Stream) Close() error {
	if s.rows == nil {
		return nil
	}
	defer s.Free()
	return s.rows.Close()
}

// Finish ends the stream for its reader too.
func (s *Stream) Finish() error {
	s.ended.Store(true)
	return s.Close()
}

// WillEnd notes that a read that was asked for will end the stream.
func (s *Stream) WillEnd() { s.ending.Store(true) }

// end ends the stream, after the reads that were asked for. Its reader learns of
// it when it reads on.
func (s *Stream) end(ctx context.Context) {
	if s.Inside(ctx) {
		_ = s.Finish()
		return
	}
	s.queueEnd()
}

func (s *Stream) queueEnd() {
	if s.ending.Swap(true) {
		return
	}
	op := queue.New(context.Background(), s.errs, false, func(context.Context) (struct{}, error) {
		_ = s.Finish()
		return struct{}{}, nil
	}, nil)
	_ = s.reads.Submit(&op.Operation) // it is never closed, and the context does not end
}

// Inside reports whether ctx is that of an operation of the connection, which
// has the stream to itself.
func (s *Stream) Inside(ctx context.Context) bool { return s.conn != nil && queue.Of(ctx) == s.conn }

// Read queues a read. One that an operation of the connection asks for is
// performed at once.
func (s *Stream) Read(ctx context.Context, op *queue.Operation) error {
	if s.Inside(ctx) {
		op.Bind(s.reads)
		op.Run(ctx)
		op.Apply()
		return nil
	}
	if s.ending.Load() {
		op.MarkSeen() // a read after the end is no failure of an operation
	}
	s.due.ApplyReady()
	if err := s.reads.Submit(op); err != nil {
		return err
	}
	s.due.Add(op)
	s.mu.Lock()
	s.last = op
	s.mu.Unlock()
	return nil
}

// ErrBehind is the error of a wait that would not end: for an operation that
// waits for a stream that is open.
var ErrBehind = fmt.Errorf("proxy: await: the operation waits for a stream that is open: %w", engine.ErrConnBusy)

// Blocked waits until the stream is open and its reads have ended, and returns
// an error if it keeps the connection all the same.
func (s *Stream) Blocked(ctx context.Context) error {
	err := s.await(ctx)
	select {
	case <-s.opened:
	default:
		return err // about the wait
	}
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last != nil {
		select {
		case <-last.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err != nil || s.over.Load() || s.ending.Load() {
		return nil
	}
	return ErrBehind
}
