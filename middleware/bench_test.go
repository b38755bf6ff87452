package middleware_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

// reused returns a function that runs one call of op over and over through
// the interceptors, as an attachment does.
func reused(ctx context.Context, op sp.Op, links ...sp.Interceptor) func() {
	h := sp.NewChain(links...).Then(attach.Perform)
	operation := linktest.Returns(nil)
	call := new(sp.Call)
	return func() {
		attach.Reset(call, operation)
		call.Op, call.Scope, call.Text = op, sp.ScopePool, "SELECT name FROM users WHERE id = $1"
		attach.Bind(ctx, call)
		_, _ = attach.Run(ctx, call, h)
	}
}

func TestAllocations(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	limited := linktest.Must(t)(timeout.New(time.Minute))
	off, _ := logs(t, slog.LevelError+1)
	failures, _ := logs(t, slog.LevelWarn)
	limiter := limiting(t, 1)
	rate := rating(t, 1e9, 1000)
	slow := slowness(t)
	reads := sp.WithReadOnly(ctx)
	for _, c := range []struct {
		name string
		ctx  context.Context
		op   sp.Op
		link sp.Interceptor
		max  float64
	}{
		{"timeout, the caller's deadline is sooner", ctx, sp.OpExec, limited, 0},
		{"timeout, no limit", t.Context(), sp.OpRollback, limited, 0},
		{"timeout, at work", t.Context(), sp.OpExec, limited, 6},
		{"recover", ctx, sp.OpExec, linktest.Must(t)(recovery.New()), 0},
		{"logging, off", ctx, sp.OpExec, off, 0},
		{"logging, of failures", ctx, sp.OpExec, failures, 0},
		{"limit, not reached", ctx, sp.OpExec, limiter, 0},
		{"rate limit, not reached", ctx, sp.OpExec, rate, 0},
		{"hedge, not to be hedged", ctx, sp.OpQuery, linktest.Must(t)(hedge.New()), 0},
		{"hedge, nothing known yet", reads, sp.OpQuery, linktest.Must(t)(hedge.New(hedge.WithPercentile(0.99))), 0},
		{"read only", ctx, sp.OpExec, linktest.Must(t)(readonly.New()), 0},
		{"comment, fixed tags", ctx, sp.OpExec, linktest.Must(t)(sqlcomment.New(sqlcomment.WithTag("service", "shop"))), 0},
		{"slow query, fast enough", ctx, sp.OpExec, slow, 0},
	} {
		if n := alloctest.PerRun(100, reused(c.ctx, c.op, c.link)); n > c.max {
			t.Errorf("%s: %v allocations, want at most %v", c.name, n, c.max)
		}
	}
}

func BenchmarkTimeout(b *testing.B) {
	deadline, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	limited := linktest.Must(b)(timeout.New(time.Hour))
	for _, c := range []struct {
		name  string
		ctx   context.Context
		links []sp.Interceptor
	}{
		{"none", deadline, nil},
		{"deadline sooner", deadline, linktest.One(limited)},
		{"at work", b.Context(), linktest.One(limited)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			perform := reused(c.ctx, sp.OpExec, c.links...)
			for b.Loop() {
				perform()
			}
		})
	}
	b.Run("context.WithTimeout alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithTimeout(b.Context(), time.Hour)
			cancel()
		}
	})
}

func BenchmarkRecover(b *testing.B) {
	b.ReportAllocs()
	perform := reused(b.Context(), sp.OpExec, linktest.Must(b)(recovery.New()))
	for b.Loop() {
		perform()
	}
}

func BenchmarkLogging(b *testing.B) {
	text := slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}) //nolint:sloglint // its formatting is measured
	off, _ := logs(b, slog.LevelError+1)
	failures, _ := logs(b, slog.LevelWarn)
	for _, c := range []struct {
		name string
		link sp.Interceptor
	}{
		{"off", off},
		{"of failures", failures},
		{"all, to a text handler", linktest.Must(b)(logging.New(slog.New(text)))},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			perform := reused(b.Context(), sp.OpExec, c.link)
			for b.Loop() {
				perform()
			}
		})
	}
}

func BenchmarkLimit(b *testing.B) {
	limiter := limiting(b, 1000)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		perform := reused(b.Context(), sp.OpExec, limiter)
		for b.Loop() {
			perform()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			perform := reused(b.Context(), sp.OpExec, limiter)
			for pb.Next() {
				perform()
			}
		})
	})
	// Two at a time through a limit of one: every other call waits.
	b.Run("contended", func(b *testing.B) {
		b.ReportAllocs()
		one := limiting(b, 1)
		b.SetParallelism(2)
		b.RunParallel(func(pb *testing.PB) {
			perform := reused(b.Context(), sp.OpExec, one)
			for pb.Next() {
				perform()
			}
		})
	})
}

func BenchmarkRateLimit(b *testing.B) {
	rate := rating(b, 1e9, 1000)
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		perform := reused(b.Context(), sp.OpExec, rate)
		for b.Loop() {
			perform()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			perform := reused(b.Context(), sp.OpExec, rate)
			for pb.Next() {
				perform()
			}
		})
	})
}

func BenchmarkReadOnly(b *testing.B) {
	b.ReportAllocs()
	perform := reused(b.Context(), sp.OpExec, linktest.Must(b)(readonly.New()))
	for b.Loop() {
		perform()
	}
}

// twinned is like reused, with an operation that can be forked, of calls that
// are declared to read only.
func twinned(tb testing.TB, links ...sp.Interceptor) func() {
	ctx := sp.WithReadOnly(tb.Context())
	h := sp.NewChain(links...).Then(attach.Perform)
	operation := new(idleTwin)
	call := new(sp.Call)
	return func() {
		attach.Reset(call, operation)
		call.Op, call.Scope, call.Text = sp.OpQuery, sp.ScopePool, "SELECT name FROM users WHERE id = $1"
		attach.Bind(ctx, call)
		_, _ = attach.Run(ctx, call, h)
	}
}

// idleTwin does nothing, any number of times at once.
type idleTwin struct{}

func (*idleTwin) Do(context.Context, *sp.Call) error { return nil }
func (w *idleTwin) Fork() attach.Performer           { return w }
func (*idleTwin) Adopt(attach.Performer)             {}

func TestAllocationsOfAHedgedCall(t *testing.T) {
	fast := twinned(t, linktest.Must(t)(hedge.New(hedge.WithDelay(time.Hour))))
	if n := alloctest.PerRun(100, fast); n > 8+alloctest.Lost {
		t.Errorf("%v allocations of a call that is fast enough, want at most 8", n)
	}
}

func BenchmarkHedge(b *testing.B) {
	for _, c := range []struct {
		name string
		op   func() func()
	}{
		{"not to be hedged", func() func() { return reused(b.Context(), sp.OpQuery, linktest.Must(b)(hedge.New())) }},
		{"fast enough", func() func() { return twinned(b, linktest.Must(b)(hedge.New(hedge.WithDelay(time.Hour)))) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			perform := c.op()
			for b.Loop() {
				perform()
			}
		})
	}
}

func BenchmarkComment(b *testing.B) {
	b.ReportAllocs()
	perform := reused(b.Context(), sp.OpQuery, linktest.Must(b)(sqlcomment.New(sqlcomment.WithTag("service", "shop"))))
	for b.Loop() {
		perform()
	}
}

func BenchmarkSlowQuery(b *testing.B) {
	slow := slowness(b)
	b.ReportAllocs()
	perform := reused(b.Context(), sp.OpQuery, slow)
	for b.Loop() {
		perform()
	}
}
