package enginetest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault"
)

// small opens the database with a pool of two connections at most.
func (f *fixture) small(opts ...engine.Option) *engine.Engine {
	f.Helper()
	if f.db.SingleConn {
		f.Skip("the pool has one connection")
	}
	return f.open(append([]engine.Option{engine.WithPoolSize(1), engine.WithMaxOverflow(1), engine.WithPoolTimeout(20 * time.Millisecond)}, opts...)...)
}

func testPoolTimeout(t *testing.T, f *fixture) {
	for name, e := range map[string]*engine.Engine{
		"with a chain": f.small(engine.WithChain(sp.NewChain(replay))), "without": f.small(),
	} {
		a, b := must[*engine.Conn](t)(e.Connect(t.Context())), must[*engine.Conn](t)(e.Connect(t.Context()))
		for what, use := range map[string]func() error{
			"connect": func() error { _, err := e.Connect(t.Context()); return err },
			"begin":   func() error { _, err := e.Begin(t.Context()); return err },
			"execute": func() error { _, err := e.Execute(t.Context(), engine.Text("SELECT 1")); return err },
			"stream":  func() error { _, err := e.Stream(t.Context(), engine.Text("SELECT 1")); return err },
			"unit": func() error {
				return e.RunInTx(t.Context(), func(context.Context, *engine.Tx) error { return nil }, engine.WithReadOnly())
			},
		} {
			err := use()
			var timeout *engine.PoolTimeoutError
			if !errors.As(err, &timeout) || !errors.Is(err, fault.ErrPoolTimeout) || timeout.Max != 2 {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.Connect(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, connect with a dead context: %v", name, err)
		}
		if s := e.Stats(); s.InUse < 2 || s.Timeouts < 5 || s.Waits < 5 || s.WaitTime < 100*time.Millisecond || s.Waiting != 0 {
			t.Errorf("%s: %+v", name, s)
		}
		if s := e.PoolStats(); s.Used < 2 || s.Max < 2 || s.Timeouts < 5 || s.Pending != 0 {
			t.Errorf("%s, for metrics: %+v", name, s)
		}
		f.ok(a.Close(t.Context()))
		c := must[*engine.Conn](t)(e.Connect(t.Context()))
		f.ok(b.Close(t.Context()))
		f.ok(c.Close(t.Context()))
		want(t, "in use", e.Stats().InUse, 0)
	}
}

func testPoolOverflow(t *testing.T, f *fixture) {
	e := f.small()
	a, b := must[*engine.Conn](t)(e.Connect(t.Context())), must[*engine.Conn](t)(e.Connect(t.Context()))
	f.ok(a.Close(t.Context()))
	f.ok(b.Close(t.Context()))
	// The connection beyond the pool's size is closed. SQLite has one more, for writing.
	s := e.Stats()
	if s.Idle > s.Max-1 {
		t.Errorf("%d idle of %d", s.Idle, s.Max)
	}
}

func testDispose(t *testing.T, f *fixture) {
	if f.db.SingleConn {
		t.Skip("the database goes with its connection")
	}
	f.items(1)
	for range 2 {
		want(t, "rows", f.count(f), int64(1))
		f.ok(f.Dispose())
		want(t, "open", f.Stats().Open, 0)
	}
	want(t, "rows after all", f.count(f), int64(1))
}

// testDisposeUnderLoad disposes of the pool while others take connections out
// of it: nobody notices.
func testDisposeUnderLoad(t *testing.T, f *fixture) {
	if f.db.SingleConn {
		t.Skip("the database goes with its connection")
	}
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for range 25 {
				if v, err := f.exec(f, "SELECT 1").ScalarOne(); err != nil || v != int64(1) {
					t.Errorf("%v, %v", v, err)
				}
				if err := f.RunInTx(t.Context(), func(context.Context, *engine.Tx) error { return nil }); err != nil {
					t.Error(err)
				}
				c, err := f.Connect(t.Context())
				if err != nil {
					t.Error(err)
					continue
				}
				if err := c.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	idle := make(chan struct{})
	go func() {
		users.Wait()
		close(idle)
	}()
	for {
		select {
		case <-idle:
			want(t, "in use", f.Stats().InUse, 0)
			return
		default:
			f.ok(f.Dispose())
			runtime.Gosched()
		}
	}
}

func testDisposeWhileBusy(t *testing.T, f *fixture) {
	if f.db.SingleConn {
		t.Skip("the database goes with its connection")
	}
	f.items(1)
	c := f.connect()
	insert(f, c, "a")
	f.ok(f.Dispose())
	want(t, "rows", f.count(c), int64(2)) // the connection in use goes on
	f.ok(c.Commit(t.Context()))
	f.end(c)
	want(t, "rows", f.count(f), int64(2))
}

func testInvalidate(t *testing.T, f *fixture) {
	if f.db.SingleConn {
		t.Skip("the database goes with its connection")
	}
	f.items(1)
	c := f.connect()
	insert(f, c, "a")
	before := f.Stats().Open
	c.Invalidate()
	f.end(c)
	if s := f.Stats(); s.Open >= before || s.InUse != 0 {
		t.Errorf("%+v, and %d open before", s, before)
	}
	want(t, "rows", f.count(f), int64(1))
}

func testLazyConnect(t *testing.T, f *fixture) {
	e := f.open(engine.WithLazyConnect())
	want(t, "open", e.Stats().Open, 0)
	want(t, "answer", must[any](t)(f.exec(e, "SELECT 1").ScalarOne()), any(int64(1)))
	want(t, "system", e.Dialect().System, f.Dialect().System)
	want(t, "features", e.Dialect().Features, f.Dialect().Features)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := engine.Open(ctx, f.url, f.db.Options...); !errors.Is(err, context.Canceled) {
		t.Errorf("open with a dead context: %v", err)
	}
}

func testPrePing(t *testing.T, f *fixture) {
	e := f.open(engine.WithPrePing(), engine.WithPoolRecycle(time.Hour))
	for range 3 {
		want(t, "answer", must[any](t)(f.exec(e, "SELECT 1").ScalarOne()), any(int64(1)))
	}
}
