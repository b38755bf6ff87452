package proxy_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// ways run the same statement on each kind of session.
func ways(tb testing.TB) map[string]func() {
	tb.Helper()
	ctx := context.Background()
	eng, err := engine.Open(ctx, "sqlite::memory:", engine.WithPoolSize(1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = eng.Dispose() })
	st := engine.Text("SELECT 1")
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	// SQLite in memory has one connection: one session after the other.
	s := orm.NewSession(eng)
	p := proxy.New(&proxy.Session{Session: s})
	var a *proxy.AsyncSession
	return map[string]func(){
		"blocking": func() {
			_, err := s.Execute(ctx, st)
			check(err)
		},
		"blocking proxy": func() {
			_, err := p.Execute(ctx, st).Await(ctx)
			check(err)
		},
		"awaited": func() {
			if a == nil {
				check(s.Close(ctx))
				a = proxy.NewAsyncSession(eng)
				tb.Cleanup(func() { _ = a.Aclose(ctx).Await(ctx) })
			}
			_, err := a.Execute(ctx, st).Await(ctx)
			check(err)
		},
	}
}

var order = []string{"blocking", "blocking proxy", "awaited"}

// TestAllocationsOfDispatch holds what a proxy and awaiting cost.
func TestAllocationsOfDispatch(t *testing.T) {
	w := ways(t)
	n := map[string]float64{}
	for _, name := range order {
		n[name] = alloctest.PerRun(200, w[name])
	}
	if n["blocking proxy"] > n["blocking"]+alloctest.Lost {
		t.Errorf("the blocking proxy allocates %v, its session %v", n["blocking proxy"], n["blocking"])
	}
	if n["awaited"] > n["blocking"]+3+alloctest.Lost {
		t.Errorf("awaiting allocates %v, blocking %v", n["awaited"], n["blocking"])
	}
}

// BenchmarkDispatch runs a statement on SQLite in memory.
func BenchmarkDispatch(b *testing.B) {
	w := ways(b)
	for _, name := range order {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w[name]()
			}
		})
	}
}
