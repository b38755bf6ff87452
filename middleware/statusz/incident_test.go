package statusz_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// TestFailuresThatAreAlikeAreOne holds that a thousand of one fault do not hide
// another.
func TestFailuresThatAreAlikeAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		run(t, returns(unique), sp.OpExec, "INSERT INTO users VALUES ($1)", p)
		for i := range 1000 {
			time.Sleep(time.Millisecond)
			run(t, returns(serialization), sp.OpExec, fmt.Sprintf("UPDATE users SET n = %d", i), p)
		}
		s := look(t, p)
		if len(s.Failures) != 2 {
			t.Fatalf("%d failures: %+v", len(s.Failures), s.Failures)
		}
		latest, other := s.Failures[0], s.Failures[1]
		if latest.Summary != "UPDATE users" || latest.Count != 1000 || latest.Error != "40001" || latest.Class != "serialization" {
			t.Errorf("the latest: %+v", latest)
		}
		if other.Summary != "INSERT users" || other.Count != 1 || other.Error != "23505" || other.Class != "integrity" {
			t.Errorf("the other: %+v", other)
		}
	})
}

func TestOldestFailureGivesWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		fail := func(i int) {
			time.Sleep(time.Second)
			run(t, returns(unique), sp.OpExec, fmt.Sprintf("INSERT INTO t%d VALUES ($1)", i), p)
		}
		for i := range 50 {
			fail(i)
		}
		fail(0)  // again: now t1 is the oldest
		fail(50) // in its place
		shown := map[string]bool{}
		for _, f := range look(t, p).Failures {
			shown[f.Summary] = true
		}
		if len(shown) != 50 || !shown["INSERT t0"] || shown["INSERT t1"] || !shown["INSERT t50"] {
			t.Errorf("shown: %v", shown)
		}
	})
}

func TestSlowCallsTellWhereTheTimeWent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t, statusz.WithSlowThreshold(time.Second))
		takes := func(d time.Duration) script {
			return func(context.Context, *sp.Call) error { time.Sleep(d); return nil }
		}
		const text = "SELECT 1 FROM users"
		run(t, takes(999*time.Millisecond), sp.OpQuery, text, p)
		run(t, takes(3*time.Second), sp.OpQuery, text, p)
		run(t, takes(time.Second), sp.OpQuery, text, p,
			event(sp.Event{Kind: sp.EventQueued, Delay: 100 * time.Millisecond, Detail: "limit"}, 0),
			event(sp.Event{Kind: sp.EventRetry, Attempt: 1, Delay: 250 * time.Millisecond, Err: serialization}, 0))
		s := look(t, p)
		if len(s.Slow) != 1 || len(s.Failures) != 0 {
			t.Fatalf("slow: %+v, failed: %+v", s.Slow, s.Failures)
		}
		if slow := s.Slow[0]; slow.Count != 2 || slow.Took != 1 || slow.Longest != 3 ||
			slow.Attempts != 2 || slow.Queued != 0.1 || slow.Paused != 0.25 {
			t.Errorf("%+v", slow)
		}
	})
}

func TestCallersWhoGiveUpAreNoFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t, statusz.WithSlowThreshold(time.Second))
		run(t, returns(context.Canceled), sp.OpQuery, "SELECT 1 FROM users", p)
		run(t, func(context.Context, *sp.Call) error {
			time.Sleep(2 * time.Second)
			return context.Canceled
		}, sp.OpQuery, "SELECT 1 FROM users", p)
		s := look(t, p)
		if s.Statements.Canceled != 2 || s.Statements.Failed != 0 || len(s.Failures) != 0 {
			t.Errorf("%+v, %+v", s.Statements, s.Failures)
		}
		if len(s.Slow) != 1 || s.Slow[0].Class != "canceled" {
			t.Errorf("slow: %+v", s.Slow)
		}
	})
}

// in returns a context in a trace of the given number.
func in(ctx context.Context, number byte, sampled bool) context.Context {
	var flags trace.TraceFlags
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: number}, SpanID: trace.SpanID{7: 1}, TraceFlags: flags.WithSampled(sampled),
	}))
}

// begins returns an interceptor that begins a trace of the given number.
func begins(number byte) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error { return next(in(ctx, number, true), call) }
	})
}

// TestFailuresTellTheirTrace holds that a failure leads to the trace of the last
// call that a trace was kept of, whether the caller began it or an interceptor.
func TestFailuresTellTheirTrace(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	perform := func(ctx context.Context, links ...sp.Interceptor) string {
		c := newCall(returns(unique), sp.OpExec, "INSERT INTO users VALUES ($1)")
		attach.Bind(ctx, c)
		_, _ = attach.Run(ctx, c, sp.NewChain(links...).Then(attach.Perform))
		s := look(t, p)
		if len(s.Failures) != 1 {
			t.Fatalf("%+v", s.Failures)
		}
		id := s.Failures[0].Trace
		if page := get(p, http.MethodGet, "/").Body.String(); id != "" && !strings.Contains(page, ">"+id+"<") {
			t.Errorf("the page does not show %s", id)
		}
		return id
	}
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	for _, c := range []struct{ what, got, want string }{
		{"no trace", perform(t.Context(), p), ""},
		{"not sampled", perform(in(t.Context(), 1, false), p), id(1)},
		{"the caller's", perform(in(t.Context(), 2, true), p), id(2)},
		{"not sampled, after one that is", perform(in(t.Context(), 3, false), p), id(2)},
		{"an interceptor's", perform(t.Context(), p, begins(4), p.Innermost()), id(4)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// lost is an operation that finds its connection lost, after it had come so far.
type lost fault.Progress

func (l lost) Do(ctx context.Context, call *sp.Call) error {
	call.Judge(ctx, driver.ErrBadConn, call.Op.Phase(), fault.Progress(l))
	return driver.ErrBadConn
}

// TestARollbackOfWhatIsGoneIsNoFailure holds that one whose connection was gone
// before is not listed, and one that failed by itself is.
func TestARollbackOfWhatIsGoneIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, progress := range []fault.Progress{fault.ProgressUnsent, fault.ProgressUnknown} {
		p := newPage(t)
		c := new(sp.Call)
		attach.Reset(c, lost(progress))
		c.Op, c.Target = sp.OpRollback, orders
		_, _ = attach.Run(t.Context(), c, sp.NewChain(p).Then(attach.Perform))
		want := 0
		if progress == fault.ProgressUnknown {
			want = 1
		}
		if s := look(t, p); s.Statements.Calls != 1 || s.Statements.Failed != want || len(s.Failures) != want {
			t.Errorf("%v: %+v, %+v", progress, s.Statements, s.Failures)
		}
	}
}

// TestNothingIsLostUnderLoad runs calls of all kinds on many goroutines while
// the page is asked for, and holds that each was counted once and left.
func TestNothingIsLostUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPage(t, statusz.WithSlowThreshold(time.Nanosecond))
	h := sp.NewChain(p, event(sp.Event{Kind: sp.EventRetry, Attempt: 1, Err: serialization}, 0), p.Innermost()).Then(attach.Perform)
	const workers, calls = 8, 300
	var busy, watching sync.WaitGroup
	stop := make(chan struct{})
	watching.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				look(t, p)
			}
		}
	})
	for w := range workers {
		busy.Go(func() {
			c := new(sp.Call)
			for i := range calls {
				attach.Reset(c, []script{returns(nil), opens, returns(unique)}[i%3])
				c.Op, c.Text, c.Target = sp.OpQuery, fmt.Sprintf("SELECT %d FROM t%d", i, (i+w)%20), orders
				if open, _ := attach.Run(t.Context(), c, h); open {
					attach.Finish(c, nil)
				}
			}
		})
	}
	busy.Wait()
	close(stop)
	watching.Wait()
	s := look(t, p)
	if s.InFlight != 0 || s.Statements.Calls != workers*calls || s.Statements.Failed != workers*calls/3 || s.Overall.Count != workers*calls {
		t.Errorf("%d in flight, %+v, %+v", s.InFlight, s.Statements, s.Overall)
	}
	if len(s.Events) != 1 || s.Events[0].Count != workers*calls {
		t.Errorf("events: %+v", s.Events)
	}
	failed := 0
	for _, f := range s.Failures {
		failed += f.Count
	}
	if failed != workers*calls/3 {
		t.Errorf("%d failures", failed)
	}
}
