package profile_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/profile"
)

// mine is a function by whose name a goroutine is found in a profile.
//
//go:noinline
func mine(t *testing.T, marker string) string {
	t.Helper()
	var buf bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&buf, 1); err != nil {
		t.Error(err)
	}
	for goroutine := range strings.SplitSeq(buf.String(), "\n\n") {
		if strings.Contains(goroutine, "profile_test.mine+") && strings.Contains(goroutine, marker) {
			_, labels, _ := strings.Cut(goroutine, "# labels: ")
			labels, _, _ = strings.Cut(labels, "\n")
			return labels
		}
	}
	return ""
}

// shown performs a call, and returns the labels that its goroutine has meanwhile and
// afterwards.
func shown(t *testing.T, ctx context.Context, op sp.Op, text string, ends linktest.Act, opts ...profile.Option) (inside, after string) { //nolint:revive // t comes first in tests
	t.Helper()
	call := linktest.NewCall(ctx, op, &linktest.Script{Act: func(context.Context, *sp.Call) error {
		inside = mine(t, "shown")
		switch ends {
		case linktest.Fails:
			return linktest.ErrDriver
		case linktest.Breaks:
			panic("driver")
		}
		return nil
	}})
	call.Text, call.Target = text, &sp.Target{System: sp.PostgreSQL}
	func() {
		defer func() { _ = recover() }()
		_, _ = attach.Run(ctx, call, sp.NewChain(linktest.Must(t)(profile.New(opts...))).Then(attach.Perform))
	}()
	return inside, mine(t, "shown")
}

func TestGoroutinesAreLabelled(t *testing.T) { // alone: others have goroutines of the same name
	const secret = "SELECT name FROM users WHERE mail = 'alice@example.com'"
	for _, ends := range []linktest.Act{linktest.Succeeds, linktest.Fails, linktest.Breaks} {
		inside, after := shown(t, t.Context(), sp.OpQuery, secret, ends)
		if inside != `{"db.operation":"query", "db.summary":"SELECT users"}` || after != "" {
			t.Errorf("%s: %s, and then %q", ends, inside, after)
		}
	}
	for op, want := range map[sp.Op]string{
		sp.OpCommit: `{"db.operation":"COMMIT"}`, sp.OpPing: `{"db.operation":"ping"}`, sp.OpTransaction: "", sp.SessionOp("flush"): "",
	} {
		if inside, _ := shown(t, t.Context(), op, "", linktest.Succeeds); inside != want {
			t.Errorf("%s: %s, want %s", op, inside, want)
		}
	}
	inside, _ := shown(t, t.Context(), sp.OpExec, secret, linktest.Succeeds, profile.WithIf(func(context.Context) bool { return false }))
	if inside != "" {
		t.Errorf("off: %s", inside)
	}
}

// TestLabelsOfTheCallerStay is about a request that has labels of its own.
func TestLabelsOfTheCallerStay(t *testing.T) { // alone, as above
	pprof.Do(t.Context(), pprof.Labels("route", "/orders"), func(ctx context.Context) {
		inside, after := shown(t, ctx, sp.OpExec, "DELETE FROM orders", linktest.Succeeds)
		if inside != `{"db.operation":"exec", "db.summary":"DELETE orders", "route":"/orders"}` || after != `{"route":"/orders"}` {
			t.Errorf("%s, and then %s", inside, after)
		}
	})
}

// TestStepsAreTheirCalls: what a call opens a connection with is the call's.
func TestStepsAreTheirCalls(t *testing.T) { // alone, as above
	h := sp.NewChain(linktest.Must(t)(profile.New())).Then(attach.Perform)
	var step, rest string
	outer := linktest.NewCall(t.Context(), sp.OpExec, &linktest.Script{Act: func(ctx context.Context, call *sp.Call) error {
		inner := linktest.NewCall(attach.Context(ctx, call), sp.OpConnect, &linktest.Script{Act: func(context.Context, *sp.Call) error {
			step = mine(t, "TestStepsAreTheirCalls")
			return nil
		}})
		_, err := attach.Run(ctx, inner, h)
		rest = mine(t, "TestStepsAreTheirCalls")
		return err
	}})
	outer.Text = "DELETE FROM t"
	if _, err := attach.Run(t.Context(), outer, h); err != nil || !strings.Contains(step, "DELETE t") || step != rest {
		t.Errorf("%s, and then %s, %v", step, rest, err)
	}
}

func TestStatementsAreRegionsOfATrace(t *testing.T) { // alone: there is one trace at a time
	var out bytes.Buffer
	if err := trace.Start(&out); err != nil {
		t.Skip(err) // go test -trace records one
	}
	shown(t, t.Context(), sp.OpQuery, "SELECT * FROM orders JOIN lines ON true", linktest.Breaks)
	trace.Stop()
	if !bytes.Contains(out.Bytes(), []byte("SELECT orders lines")) {
		t.Error("the trace does not name the statement")
	}
}

func TestGoroutinesThatEnd(t *testing.T) {
	t.Parallel()
	h := sp.NewChain(linktest.Must(t)(profile.New())).Then(attach.Perform)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
			runtime.Goexit()
			return nil
		}}), h)
	}()
	<-over
}

// TestALabelledCallAllocatesNothing covers texts of several operations, and a context
// that can end.
func TestALabelledCallAllocatesNothing(t *testing.T) {
	h := sp.NewChain(linktest.Must(t)(profile.New())).Then(attach.Perform)
	operation, call := linktest.Returns(nil), new(sp.Call)
	ctx := t.Context()
	one := func(op sp.Op, text string) {
		attach.Reset(call, operation)
		call.Op, call.Text = op, text
		if _, err := attach.Run(ctx, call, h); err != nil {
			t.Error(err)
		}
	}
	if n := alloctest.PerRun(100, func() {
		one(sp.OpExec, "DELETE FROM t")
		one(sp.OpQuery, "DELETE FROM t")
		one(sp.OpCommit, "")
	}); n > alloctest.Lost {
		t.Errorf("%v allocations", n)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	if _, err := profile.New(nil, profile.WithIf(nil)); err == nil || !strings.Contains(err.Error(), "WithIf(nil)") {
		t.Error(err)
	}
	link := linktest.Must(t)(profile.New())
	if _, err := pgxdb.NewTracer(sp.NewChain(link)); err == nil || errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a tracer took it, which is not around the work: %v", err)
	}
	if e := link.(sp.Enabler); !e.Enabled(t.Context(), sp.OpExec) || e.Enabled(t.Context(), sp.OpTransaction) || e.Enabled(t.Context(), sp.SessionOp("add")) {
		t.Error("enabled for other operations")
	}
}

func BenchmarkLabels(b *testing.B) {
	for name, links := range map[string][]sp.Interceptor{
		"none": {sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })},
		"off":  {linktest.Must(b)(profile.New(profile.WithIf(func(context.Context) bool { return false })))},
		"on":   {linktest.Must(b)(profile.New())},
	} {
		b.Run(name, func(b *testing.B) {
			h := sp.NewChain(links...).Then(attach.Perform)
			operation, call, ctx := linktest.Returns(nil), new(sp.Call), b.Context()
			b.ReportAllocs()
			for b.Loop() {
				attach.Reset(call, operation)
				call.Op, call.Text = sp.OpExec, "DELETE FROM t"
				_, _ = attach.Run(ctx, call, h)
			}
		})
	}
}
