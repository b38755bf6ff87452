package nplusone_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/nplusone"
)

const query = "SELECT name FROM users WHERE mail = 'alice@example.com'"

// counting returns a chain that counts, inside of links, and its records.
func counting(t testing.TB, opts []nplusone.Option, links ...sp.Interceptor) (sp.Handler, *linktest.Recorder) {
	t.Helper()
	r := &linktest.Recorder{Level: slog.LevelWarn}
	loops := linktest.Must(t)(nplusone.New(slog.New(r), opts...))
	return sp.NewChain(append(links, loops)...).Then(attach.Perform), r
}

// times makes calls of a statement.
func times(t testing.TB, ctx context.Context, n int, h sp.Handler, op sp.Op, text string) { //nolint:revive // t comes first in tests
	t.Helper()
	for range n {
		call := linktest.NewCall(ctx, op, linktest.Returns(nil))
		call.Text = text
		if _, err := attach.Run(ctx, call, h); err != nil {
			t.Error(err)
		}
	}
}

// span is one that is recorded.
type span struct {
	noop.Span
	events []string
}

func (s *span) IsRecording() bool { return true }
func (s *span) AddEvent(name string, opts ...trace.EventOption) {
	c := trace.NewEventConfig(opts...)
	s.events = append(s.events, fmt.Sprint(name, c.Attributes()))
}

func TestAStatementInALoopIsReportedOnce(t *testing.T) {
	t.Parallel()
	h, r := counting(t, []nplusone.Option{nplusone.WithThreshold(5)})
	request := &span{}
	ctx := nplusone.Scope(trace.ContextWithSpan(t.Context(), request))
	times(t, ctx, 4, h, sp.OpQuery, query)
	times(t, ctx, 3, h, sp.OpExec, "DELETE FROM orders")
	if got := r.Take(); len(got) > 0 || len(request.events) > 0 {
		t.Errorf("too soon: %v", got)
	}
	times(t, trace.ContextWithSpan(ctx, noop.Span{}), 30, h, sp.OpQuery, query) // the scope's span is told, wherever they are
	got := linktest.Lone(t, r)
	if got.Level != slog.LevelWarn || got.Attrs["db.query.summary"] != "SELECT users" || got.Attrs["sessionproxy.repeated"] != int64(5) ||
		got.Attrs["event.name"] != "statement.repeated" {
		t.Errorf("%+v", got)
	}
	if f, _ := got.Attrs["code.function.name"].(string); !strings.HasSuffix(f, "nplusone_test.times") || got.Attrs["code.line.number"] == int64(0) {
		t.Errorf("made at %v:%v, %v", got.Attrs["code.file.path"], got.Attrs["code.line.number"], f)
	}
	if strings.Contains(fmt.Sprint(got), "alice") {
		t.Error("it shows a literal")
	}
	if len(request.events) != 1 || !strings.Contains(request.events[0], "SELECT users") {
		t.Errorf("events of the request's span: %v", request.events)
	}
}

func TestScopesCountApart(t *testing.T) {
	t.Parallel()
	h, r := counting(t, []nplusone.Option{nplusone.WithThreshold(3)})
	outer := nplusone.Scope(t.Context())
	for range 10 {
		times(t, nplusone.Scope(t.Context()), 2, h, sp.OpQuery, query)
		times(t, nplusone.Scope(outer), 2, h, sp.OpQuery, query)
		times(t, t.Context(), 2, h, sp.OpQuery, query) // in no scope
	}
	times(t, outer, 2, h, sp.OpQuery, query)
	for _, op := range []sp.Op{sp.OpCommit, sp.OpPing, sp.OpPrepare} {
		times(t, outer, 5, h, op, "")
	}
	if got := r.Take(); len(got) > 0 {
		t.Error(got)
	}
}

// TestUnitsOfWorkAreScopes runs a unit that is replayed: each run counts for itself.
func TestUnitsOfWorkAreScopes(t *testing.T) {
	t.Parallel()
	h, r := counting(t, []nplusone.Option{nplusone.WithThreshold(4)}, linktest.Retrying(3))
	unit := func(ctx context.Context, n int) {
		call := linktest.NewCall(ctx, sp.OpTransaction, &linktest.Script{Act: func(ctx context.Context, call *sp.Call) error {
			times(t, attach.Context(ctx, call), n, h, sp.OpExec, "INSERT INTO lines VALUES (1)")
			return linktest.ErrSerialization
		}})
		_, _ = attach.Run(ctx, call, h)
	}
	if unit(t.Context(), 3); len(r.Take()) > 0 {
		t.Error("replays are counted together")
	}
	if unit(t.Context(), 4); len(r.Take()) != 3 {
		t.Error("not reported in each run")
	}
	if unit(nplusone.Scope(t.Context()), 2); len(r.Take()) != 1 {
		t.Error("a unit in a request does not count for that")
	}
}

func TestRetriesAndStepsAreOneStatement(t *testing.T) {
	t.Parallel()
	h, r := counting(t, []nplusone.Option{nplusone.WithThreshold(3)}, linktest.Retrying(5))
	ctx := nplusone.Scope(t.Context())
	for range 2 {
		call := linktest.NewCall(ctx, sp.OpQuery, linktest.Returns(linktest.ErrDriver))
		call.Text = query
		_, _ = attach.Run(ctx, call, h)
		above := linktest.NewCall(ctx, sp.OpQuery, linktest.Returns(nil))
		times(t, attach.Context(ctx, above), 3, h, sp.OpQuery, query) // steps of it
	}
	if got := r.Take(); len(got) > 0 {
		t.Error(got)
	}
}

func TestCallsTellOfIt(t *testing.T) {
	t.Parallel()
	var events []sp.Event
	watch := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.Watch(func(e sp.Event) { events = append(events, e) }, func(error) {})
			return next(ctx, call)
		}
	})
	h, _ := counting(t, nil, watch)
	times(t, nplusone.Scope(t.Context()), 25, h, sp.OpQuery, query)
	if len(events) != 1 || events[0] != (sp.Event{Kind: nplusone.Event, Attempt: 10, Detail: "SELECT users"}) {
		t.Errorf("%+v", events)
	}
}

func TestGoroutinesOfOneScope(t *testing.T) {
	t.Parallel()
	h, r := counting(t, []nplusone.Option{nplusone.WithThreshold(64)})
	ctx := nplusone.Scope(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { times(t, ctx, 10, h, sp.OpQuery, query) })
	}
	wg.Wait()
	linktest.Lone(t, r)
}

func TestAScopeKeepsABoundedNumber(t *testing.T) {
	t.Parallel()
	h, r := counting(t, []nplusone.Option{nplusone.WithThreshold(2)})
	ctx := nplusone.Scope(t.Context())
	for i := range 1000 {
		times(t, ctx, 1, h, sp.OpQuery, fmt.Sprintf("SELECT 1 FROM t%d", i))
	}
	times(t, ctx, 2, h, sp.OpQuery, "SELECT 1 FROM t999")
	if got := r.Take(); len(got) > 0 {
		t.Error("more than are kept are counted")
	}
	times(t, ctx, 1, h, sp.OpQuery, "SELECT 1 FROM t1")
	linktest.Lone(t, r)
}

func TestCountingAllocatesNothing(t *testing.T) {
	h, _ := counting(t, []nplusone.Option{nplusone.WithThreshold(1 << 30)})
	operation, call := linktest.Returns(nil), new(sp.Call)
	for name, ctx := range map[string]context.Context{"on": nplusone.Scope(t.Context()), "off": t.Context()} {
		if n := alloctest.PerRun(100, func() {
			attach.Reset(call, operation)
			call.Op, call.Text = sp.OpQuery, query
			if _, err := attach.Run(ctx, call, h); err != nil {
				t.Error(err)
			}
		}); n > alloctest.Lost {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	if _, err := nplusone.New(nil); err == nil {
		t.Error("no logger")
	}
	if _, err := nplusone.New(slog.Default(), nil, nplusone.WithThreshold(1)); err == nil || !strings.Contains(err.Error(), "WithThreshold(1)") {
		t.Error(err)
	}
}

func BenchmarkCounting(b *testing.B) {
	h, _ := counting(b, []nplusone.Option{nplusone.WithThreshold(1 << 30)})
	none := sp.NewChain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })).Then(attach.Perform)
	for _, way := range []struct {
		name string
		h    sp.Handler
		ctx  context.Context
	}{{"none", none, b.Context()}, {"off", h, b.Context()}, {"on", h, nplusone.Scope(b.Context())}} {
		b.Run(way.name, func(b *testing.B) {
			operation, call := linktest.Returns(nil), new(sp.Call)
			b.ReportAllocs()
			for b.Loop() {
				attach.Reset(call, operation)
				call.Op, call.Text = sp.OpQuery, query
				_, _ = attach.Run(way.ctx, call, way.h)
			}
		})
	}
}
