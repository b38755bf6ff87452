package proxy_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// flavours returns a connection of a database in memory, awaited and, within
// use, blocking.
func flavours(tb testing.TB) (conn *proxy.AsyncConnection, use func(func(c *engine.Conn))) {
	tb.Helper()
	ctx := context.Background()
	blocking, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		tb.Fatal(err)
	}
	eng, err := proxy.NewAsyncEngine(blocking)
	if err != nil {
		tb.Fatal(err)
	}
	if conn, err = eng.Connect(ctx).Await(ctx); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = conn.Close(ctx).Await(ctx)
		_ = blocking.Dispose()
	})
	return conn, func(fn func(c *engine.Conn)) {
		_ = conn.RunSync(ctx, func(_ context.Context, c *engine.Conn) error {
			fn(c)
			return nil
		}).Await(ctx)
	}
}

var one = engine.Text("SELECT 1")

// TestAwaitingCostsFewAllocations holds what an awaited statement allocates
// beyond a blocking one: the future with its channel and its operation.
func TestAwaitingCostsFewAllocations(t *testing.T) {
	ctx := context.Background()
	conn, use := flavours(t)
	awaited := alloctest.PerRun(500, func() {
		if _, err := conn.Execute(ctx, one).Await(ctx); err != nil {
			t.Fatal(err)
		}
	})
	var blocking float64
	use(func(c *engine.Conn) {
		blocking = alloctest.PerRun(500, func() {
			if _, err := c.Execute(ctx, one); err != nil {
				t.Error(err)
			}
		})
	})
	if more := awaited - blocking; more > 12+alloctest.Lost {
		t.Errorf("%v allocations more than the %v of a blocking statement", more, blocking)
	}
}

func BenchmarkExecute(b *testing.B) {
	ctx := context.Background()
	conn, use := flavours(b)
	b.Run("awaited", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := conn.Execute(ctx, one).Await(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("awaited in tens", func(b *testing.B) {
		b.ReportAllocs()
		var fs [10]proxy.Future[*engine.Result]
		for b.Loop() {
			for i := range fs {
				fs[i] = conn.Execute(ctx, one)
			}
			for _, f := range fs {
				if _, err := f.Await(ctx); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("blocking", func(b *testing.B) {
		use(func(c *engine.Conn) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Execute(ctx, one); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
