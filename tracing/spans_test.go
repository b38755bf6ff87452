package tracing_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func TestQuerySpanEndsWhenItsRowsAreClosed(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	c := doing(call(sp.OpQuery, "SELECT a FROM t"), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	attach.PerformerOf(c).(*operation).settle = func(error) { c.RowsReturned = 3 }
	open, err := run(t.Context(), c, newTracing(t, r, tracing.WithRowsReturned()))
	if !open || err != nil {
		t.Fatalf("open %v, err %v", open, err)
	}
	s := only(t, r)
	if s.ends != 0 {
		t.Fatal("the span ended before the rows were closed")
	}
	attach.Finish(c, nil)
	attach.Finish(c, nil)
	if s.ends != 1 || s.attr("db.response.returned_rows") != "3" || s.status != codes.Unset {
		t.Errorf("ended %d times:\n%s", s.ends, s.dump())
	}
}

func TestRowsAreCountedOnRequestOnly(t *testing.T) {
	t.Parallel()
	if s := observed(t, call(sp.OpQuery, "SELECT 1")); s.attr("db.response.returned_rows") != "" {
		t.Errorf("got\n%s", s.dump())
	}
	if s := observed(t, call(sp.OpExec, "DELETE FROM t"), tracing.WithRowsReturned()); s.attr("db.response.returned_rows") != "" {
		t.Errorf("an operation without rows has a number of them:\n%s", s.dump())
	}
}

func TestRowsThatFailFailTheirQuery(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	ctx, cancel := context.WithCancel(t.Context())
	c := doing(call(sp.OpQuery, "SELECT a FROM t"), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	if _, err := run(ctx, c, newTracing(t, r)); err != nil {
		t.Fatal(err)
	}
	cancel()
	attach.Finish(c, context.Cause(ctx)) // as an attachment does for rows that nobody closed
	s := only(t, r)
	if s.ends != 1 || s.status != codes.Error || s.attr("error.type") == "" {
		t.Errorf("ended %d times:\n%s", s.ends, s.dump())
	}
}

func TestBeginSpanEndsWhenTheTransactionHasBegun(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	c := doing(call(sp.OpBegin, ""), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	if open, err := run(t.Context(), c, newTracing(t, r)); !open || err != nil {
		t.Fatalf("open %v, err %v", open, err)
	}
	s := only(t, r)
	if s.ends != 1 {
		t.Fatalf("ended %d times, want once when BEGIN returned", s.ends)
	}
	attach.Finish(c, errors.New("connection lost"))
	if s.ends != 1 || s.late != 0 || s.status != codes.Unset {
		t.Errorf("the end of the transaction changed the span of its BEGIN: ended %d times\n%s", s.ends, s.dump())
	}
}

func TestPanicAndGoexitEndTheSpan(t *testing.T) {
	t.Parallel()
	for _, op := range []sp.Op{sp.OpExec, sp.OpBegin, sp.OpTransaction} {
		for name, leave := range map[string]func(){
			"panic":  func() { panic("s3cr3t") },
			"Goexit": runtime.Goexit,
		} {
			r := &recorder{}
			tr := newTracing(t, r)
			done := make(chan any)
			go func() {
				defer func() { done <- recover() }()
				_, _ = run(context.Background(), doing(call(op, ""), func(context.Context, *sp.Call) error {
					leave()
					return nil
				}), tr)
			}()
			<-done
			s := only(t, r)
			if s.ends != 1 || s.status != codes.Error || s.attr("error.type") != "aborted" || s.description != "aborted" {
				t.Errorf("%v, %s: ended %d times\n%s", op, name, s.ends, s.dump())
			}
		}
	}
}

func TestSessionMethodsAreInternalSpansAroundTheirStatements(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	h := newTracing(t, r).Wrap(attach.Perform)
	flush := doing(call(sp.SessionOp("flush"), ""), func(ctx context.Context, upper *sp.Call) error {
		c := call(sp.OpExec, "INSERT INTO a VALUES ($1)")
		attach.Bind(attach.Context(ctx, upper), c)
		_, err := attach.Run(ctx, c, h)
		return err
	})
	if _, err := attach.Run(t.Context(), flush, h); err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 2 {
		t.Fatalf("got %d spans, want 2", len(spans))
	}
	outer, inner := spans[0], spans[1]
	if outer.kind != trace.SpanKindInternal || outer.name != "session.flush" || outer.attr("db.operation.name") != "session.flush" {
		t.Errorf("got\n%s", outer.dump())
	}
	if inner.kind != trace.SpanKindClient || inner.parent != outer.context.SpanID() {
		t.Errorf("the statement's span is no CLIENT child of the method's:\n%s", inner.dump())
	}
}

func TestUnitOfWorkIsAnInternalSpanWithItsRetries(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	h := sp.NewChain(newTracing(t, r), retrying(2)).Then(attach.Perform)
	unit := doing(call(sp.OpTransaction, ""), func(ctx context.Context, unit *sp.Call) error {
		c := call(sp.OpExec, "UPDATE a SET b = 1")
		attach.Bind(attach.Context(ctx, unit), c)
		if _, err := attach.Run(ctx, c, sp.NewChain(newTracing(t, r)).Then(attach.Perform)); err != nil {
			return err
		}
		if unit.Attempt() < 2 {
			return stateError("40001")
		}
		return nil
	})
	unit.Marks.Name = "orders.reserve"
	if _, err := attach.Run(t.Context(), unit, h); err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 3 {
		t.Fatalf("got %d spans, want the unit's and those of its statement in two attempts", len(spans))
	}
	s := spans[0]
	if s.name != "orders.reserve" || s.kind != trace.SpanKindInternal || s.status != codes.Unset {
		t.Errorf("got\n%s", s.dump())
	}
	if len(s.events) != 1 || s.events[0].name != "retry" {
		t.Fatalf("got these events: %v", s.events)
	}
	for key, want := range map[string]string{
		"sessionproxy.attempt": "1", "sessionproxy.delay": "0.25", "error.type": "40001",
	} {
		for _, kv := range s.events[0].attributes {
			if string(kv.Key) == key && kv.Value.String() != want {
				t.Errorf("%s is %q, want %q", key, kv.Value.String(), want)
			}
		}
	}
	for _, child := range spans[1:] {
		if child.parent != s.context.SpanID() {
			t.Errorf("a statement's span is no child of the unit's")
		}
	}
}

// retrying repeats a failed call up to a number of attempts and reports each.
func retrying(attempts int) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			for {
				err := call.Try(ctx, next)
				if err == nil || call.Attempt() >= attempts {
					return err
				}
				call.Event(sp.Event{Kind: sp.EventRetry, Attempt: call.Attempt(), Delay: 250 * time.Millisecond, Err: err})
			}
		}
	})
}

func TestInsideARetryEveryAttemptIsASpan(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	failures := 2
	c := doing(call(sp.OpExec, "DELETE FROM t"), func(context.Context, *sp.Call) error {
		if failures--; failures >= 0 {
			return stateError("40001")
		}
		return nil
	})
	if _, err := run(t.Context(), c, newTracing(t, r), retrying(5), newTracing(t, r)); err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 4 {
		t.Fatalf("got %d spans, want the operation's and three attempts", len(spans))
	}
	if outer := spans[0]; len(outer.events) != 2 || outer.status != codes.Unset || outer.attr("sessionproxy.attempt") != "" {
		t.Errorf("the operation:\n%s", outer.dump())
	}
	for i, s := range spans[1:] {
		failed := s.status == codes.Error
		if s.ends != 1 || s.attr("sessionproxy.attempt") != []string{"1", "2", "3"}[i] || failed != (i < 2) {
			t.Errorf("attempt %d: ended %d times\n%s", i+1, s.ends, s.dump())
		}
		if s.parent != spans[0].context.SpanID() {
			t.Errorf("attempt %d is no child of the operation", i+1)
		}
	}
}

func TestTimeInQueuesIsAdded(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	tr := newTracing(t, r)
	c := doing(call(sp.OpExec, "DELETE FROM t"), func(_ context.Context, c *sp.Call) error {
		c.Event(sp.Event{Kind: sp.EventQueued, Delay: 250 * time.Millisecond, Detail: "limit"})
		c.Event(sp.Event{Kind: sp.EventRetry, Delay: time.Hour})
		c.Event(sp.Event{Kind: sp.EventQueued, Delay: time.Second, Detail: "pool"})
		return nil
	})
	if _, err := run(t.Context(), c, tr); err != nil {
		t.Fatal(err)
	}
	if s := only(t, r); s.attr("sessionproxy.queue.wait_time") != "1.25" || len(s.events) != 3 {
		t.Errorf("got\n%s", s.dump())
	}
	_, _ = run(t.Context(), call(sp.OpExec, "DELETE FROM t"), tr)
	if s := r.all()[1]; s.attr("sessionproxy.queue.wait_time") != "" {
		t.Errorf("a call that has not waited:\n%s", s.dump())
	}
}

func TestStepsOfACallMakeNoSpansButTheOpeningOfAConnection(t *testing.T) {
	t.Parallel()
	r, m := &recorder{}, &meter{}
	h := newTracing(t, r, tracing.WithMeterProvider(m)).Wrap(attach.Perform)
	query := doing(call(sp.OpQuery, "SELECT 1"), func(ctx context.Context, upper *sp.Call) error {
		below := attach.Context(ctx, upper)
		for _, op := range []sp.Op{sp.OpConnect, sp.OpPing, sp.OpPrepare, sp.OpQuery} {
			step := call(op, "")
			attach.Bind(below, step)
			if _, err := attach.Run(below, step, h); err != nil {
				return err
			}
		}
		return nil
	})
	query.Marks.Name = "orders.list"
	if _, err := attach.Run(t.Context(), query, h); err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 2 {
		t.Fatalf("got %d spans, want the query's and the connect's", len(spans))
	}
	if s := spans[1]; s.name != "connect shop|public" || s.parent != spans[0].context.SpanID() {
		t.Errorf("the connection's span is no child of the query's:\n%s", s.dump())
	}
	if got := m.all(durationMetric); len(got) != 1 {
		t.Errorf("the operation was counted %d times", len(got))
	}
}

func TestLocalOperationsAndClosePassThrough(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	tr := newTracing(t, r)
	for op := range sp.Op(255) {
		known := op.String() != sp.OpUnknown.String()
		before := len(r.all())
		if _, err := run(t.Context(), call(op, ""), tr); err != nil {
			t.Fatal(err)
		}
		want := known && !op.Local() && op != sp.OpClose
		if got := len(r.all()) > before; got != want {
			t.Errorf("%v: observed %v, want %v", op, got, want)
		}
	}
}

func TestNamesOfSpans(t *testing.T) {
	t.Parallel()
	c := call(sp.OpExec, "DELETE FROM t")
	c.Marks.Name = "orders.clear"
	if s := observed(t, c); s.name != "orders.clear" || s.attr("db.query.summary") != "DELETE t" {
		t.Errorf("got\n%s", s.dump())
	}
	// A connection is opened for whatever call happens to need one.
	connect := call(sp.OpConnect, "")
	connect.Marks.Name = "orders.clear"
	if s := observed(t, connect); s.name != "connect shop|public" {
		t.Errorf("a connection's span is named %q", s.name)
	}
	name := func(_ context.Context, c *sp.Call) string {
		if c.Op == sp.OpExec {
			return "mine"
		}
		return ""
	}
	if s := observed(t, call(sp.OpExec, "DELETE FROM t"), tracing.WithSpanNameFunc(name)); s.name != "mine" {
		t.Errorf("got %q, want the function's name", s.name)
	}
	if s := observed(t, call(sp.OpQuery, "SELECT a FROM t"), tracing.WithSpanNameFunc(name)); s.name != "SELECT t" {
		t.Errorf("got %q, want the usual name", s.name)
	}
}

func TestSpanIsPassedOnAndFoundAgainWithoutAContext(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	// Other instrumentation in between puts a span of its own into the
	// context, and forgets to end it.
	other := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			ctx, _ = r.Tracer("other").Start(ctx, "other")
			return next(ctx, call)
		}
	})
	if _, err := run(t.Context(), call(sp.OpExec, "DELETE FROM t"), newTracing(t, r), other); err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 2 || spans[0].ends != 1 || spans[1].ends != 0 || spans[1].parent != spans[0].context.SpanID() {
		t.Errorf("ours ended %d times, the other's %d times", spans[0].ends, spans[1].ends)
	}
}

func TestLateEventsReachNobodyElsesSpan(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	tr := newTracing(t, r)
	var calls []*sp.Call
	// An interceptor further out reports when the span has ended already, and
	// when its observation may serve another call.
	outer := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(error) {
				if len(calls) < 50 {
					calls = append(calls, call)
					_, _ = run(ctx, doing(callOf(call), attach.PerformerOf(call).(*operation).do), sp.InterceptorFunc(
						func(next sp.Handler) sp.Handler {
							return func(ctx context.Context, inner *sp.Call) error {
								defer call.Event(sp.Event{Kind: sp.EventBreaker, Detail: "open"})
								return next(ctx, inner)
							}
						}), tr)
				}
			})
			return next(ctx, call)
		}
	})
	for range 50 {
		if _, err := run(t.Context(), call(sp.OpExec, "SELECT 1"), outer, tr); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range r.all() {
		if len(s.events) != 0 {
			t.Fatalf("an event reached the span of another call:\n%s", s.dump())
		}
	}
}

// callOf returns another call like c.
func callOf(c *sp.Call) *sp.Call { return call(c.Op, c.Text) }

func TestTakingAConnectionIsASpanOfItsOwn(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	h := newTracing(t, r).Wrap(attach.Perform)
	taking := doing(call(sp.OpAcquire, ""), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	query := doing(call(sp.OpQuery, "SELECT 1"), func(ctx context.Context, upper *sp.Call) error {
		attach.Bind(attach.Context(ctx, upper), taking)
		_, err := attach.Run(ctx, taking, h)
		return err
	})
	if _, err := attach.Run(t.Context(), query, h); err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 2 || spans[1].ends != 1 || spans[1].parent != spans[0].context.SpanID() {
		t.Fatalf("want a span under that of the query, ended when the connection was had: %d spans", len(spans))
	}
	attach.Finish(taking, nil)
	if spans[1].ends != 1 || spans[1].late != 0 {
		t.Error("giving the connection back changed the span")
	}
}
