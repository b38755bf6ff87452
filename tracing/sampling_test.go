package tracing_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func TestUnsampledSpanIsEndedAndOtherwiseLeftAlone(t *testing.T) {
	t.Parallel()
	r := &recorder{unsampled: true}
	c := failing(call(sp.OpBatch, "DELETE FROM t"), stateError("40001"))
	c.BatchSize = 2
	observedBy := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Observed() {
				t.Error("a span that is not recorded listens to events")
			}
			return next(ctx, call)
		}
	})
	_, _ = run(t.Context(), c, newTracing(t, r, tracing.WithRowsReturned()), observedBy)
	s := only(t, r)
	if s.ends != 1 || s.touched != 0 {
		t.Errorf("ended %d times, changed %d times", s.ends, s.touched)
	}
	if lookup(s.start, "db.query.summary") == "" {
		t.Error("the sampler saw no summary")
	}
}

func TestUnsampledQueryIsMeasuredToTheEndOfItsRows(t *testing.T) {
	t.Parallel()
	r, m := &recorder{unsampled: true}, &meter{}
	c := doing(call(sp.OpQuery, "SELECT a FROM t"), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	if _, err := run(t.Context(), c, newTracing(t, r, tracing.WithMeterProvider(m))); err != nil {
		t.Fatal(err)
	}
	s := only(t, r)
	if s.ends != 0 || len(m.all(durationMetric)) != 0 {
		t.Error("the query ended before its rows")
	}
	attach.Finish(c, nil)
	if s.ends != 1 || s.touched != 0 || len(m.all(durationMetric)) != 1 {
		t.Errorf("ended %d times, changed %d times, measured %d times", s.ends, s.touched, len(m.all(durationMetric)))
	}
}

func TestWithoutRootSpansAParentIsNeeded(t *testing.T) {
	t.Parallel()
	parents := &recorder{}
	recorded, _ := parents.Tracer("").Start(t.Context(), "parent")
	unsampled, _ := (&recorder{unsampled: true}).Tracer("").Start(t.Context(), "parent")
	remote := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags,
		}))
	}
	for name, tc := range map[string]struct {
		ctx  context.Context
		want int
	}{
		"none":                {t.Context(), 0},
		"recorded":            {recorded, 1},
		"not sampled":         {unsampled, 0},
		"of another process":  {remote(trace.FlagsSampled), 1},
		"not sampled, remote": {remote(0), 0},
	} {
		r, m := &recorder{}, &meter{}
		tr := newTracing(t, r, tracing.WithoutRootSpans(), tracing.WithMeterProvider(m))
		if _, err := run(tc.ctx, call(sp.OpExec, "SELECT 1"), tr); err != nil {
			t.Fatal(err)
		}
		if got := len(r.all()); got != tc.want {
			t.Errorf("parent %s: %d spans, want %d", name, got, tc.want)
		}
		if len(m.all(durationMetric)) != 1 {
			t.Errorf("parent %s: no measurement", name)
		}
	}
}

// TestDisabledCallsWouldLeaveNothing holds Enabled to what the handler does: it
// may be false only where there is no span and no measurement.
func TestDisabledCallsWouldLeaveNothing(t *testing.T) {
	t.Parallel()
	recorded, _ := (&recorder{}).Tracer("").Start(t.Context(), "parent")
	m := &meter{}
	for name, tc := range map[string]struct {
		opts []tracing.Option
		ctx  context.Context
		op   sp.Op
		want bool
	}{
		"root spans are made":       {nil, t.Context(), sp.OpExec, true},
		"no parent":                 {[]tracing.Option{tracing.WithoutRootSpans()}, t.Context(), sp.OpExec, false},
		"a recorded parent":         {[]tracing.Option{tracing.WithoutRootSpans()}, recorded, sp.OpExec, true},
		"no parent, but metrics":    {[]tracing.Option{tracing.WithoutRootSpans(), tracing.WithMeterProvider(m)}, t.Context(), sp.OpExec, true},
		"an operation that is none": {nil, t.Context(), sp.OpClose, false},
	} {
		r := &recorder{}
		tr := newTracing(t, r, tc.opts...)
		if got := tr.Enabled(tc.ctx, tc.op); got != tc.want {
			t.Errorf("%s: enabled %t, want %t", name, got, tc.want)
		}
		if _, err := run(tc.ctx, call(tc.op, "SELECT 1"), tr); err != nil {
			t.Fatal(err)
		}
		if traced := len(r.all()) > 0; !tc.want && traced {
			t.Errorf("%s: a call for which it is off has a span", name)
		}
	}
}
