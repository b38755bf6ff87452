package stream

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy/internal/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errRefused = errors.New("refused")
	errs       = &queue.Errors{Closed: errors.New("closed"), Goexit: errors.New("goexit"), Panic: func(any, []byte) error { return errRefused }}
)

func refuse(context.Context) (*engine.Stream, error) { return nil, errRefused }

func readOne(ctx context.Context) *queue.Typed[int] {
	return queue.New(ctx, errs, false, func(context.Context) (int, error) { return 7, nil }, nil)
}

// TestAStreamThatDidNotOpenKeepsNobodyWaiting holds that the reads asked for
// meanwhile run, and that the connection's queue goes on.
func TestAStreamThatDidNotOpenKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	conn := queue.NewQueue(4, errs)
	s := New(t.Context(), conn, 4, errs, nil)
	var list List
	list.Add(s)
	if list.Last() != s {
		t.Error("a stream that has not ended is not the last")
	}
	read := readOne(t.Context())
	if err := s.Read(t.Context(), &read.Operation); err != nil {
		t.Fatal(err)
	}
	select {
	case <-read.Done():
		t.Error("it read before the stream was open")
	default:
	}
	if err := s.Open(t.Context(), refuse); !errors.Is(err, errRefused) {
		t.Error(err)
	}
	if v, err := read.Await(t.Context()); v != 7 || err != nil {
		t.Error(v, err)
	}
	if list.Last() != nil {
		t.Error("a stream that did not open keeps others waiting")
	}
	next := readOne(t.Context())
	if err := conn.Submit(&next.Operation); err != nil {
		t.Fatal(err)
	}
	if v, err := next.Await(t.Context()); v != 7 || err != nil {
		t.Error(v, err)
	}
}

// TestAWaitBehindAnOpenStreamIsRefused asks what an operation after the stream
// is told: to wait until it is known whether the stream opens, no longer.
func TestAWaitBehindAnOpenStreamIsRefused(t *testing.T) {
	t.Parallel()
	s := New(t.Context(), queue.NewQueue(4, errs), 4, errs, nil)
	opened := make(chan struct{})
	s.Announce(opened, func(ctx context.Context) error {
		select {
		case <-opened:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errRefused)
	if err := s.Blocked(ctx); !errors.Is(err, errRefused) {
		t.Errorf("before it is open: %v", err)
	}
	close(opened)
	if err := s.Blocked(t.Context()); !errors.Is(err, engine.ErrConnBusy) {
		t.Errorf("open: %v", err)
	}
	s.WillEnd()
	if err := s.Blocked(t.Context()); err != nil {
		t.Errorf("about to end: %v", err)
	}
}
