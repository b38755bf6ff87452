package tracing_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

const (
	durationMetric = "db.client.operation.duration"
	rowsMetric     = "db.client.response.returned_rows"
)

// measured runs a call with metrics only and returns its measurement.
func measured(t *testing.T, c *sp.Call, opts ...tracing.Option) measurement {
	t.Helper()
	m := &meter{}
	tr, err := tracing.New(append([]tracing.Option{tracing.WithoutSpans(), tracing.WithMeterProvider(m)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = run(t.Context(), c, tr)
	got := m.all(durationMetric)
	if len(got) != 1 {
		t.Fatalf("got %d measurements, want 1", len(got))
	}
	return got[0]
}

func want(t *testing.T, set attribute.Set, attributes map[attribute.Key]string) {
	t.Helper()
	for key, value := range attributes {
		if got, _ := set.Value(key); got.String() != value {
			t.Errorf("%s is %q, want %q", key, got.String(), value)
		}
	}
	if set.Len() != len(attributes) {
		t.Errorf("got these attributes, want %d:\n%s", len(attributes), text(set.ToSlice()))
	}
}

func TestDurationIsRecordedWithoutSpans(t *testing.T) {
	t.Parallel()
	m := measured(t, call(sp.OpExec, "DELETE FROM t WHERE a = 's3cr3t'"),
		tracing.WithAttributes(attribute.String("peer.service", "orders")))
	if m.value < 0 || m.value > 60 {
		t.Errorf("%v seconds", m.value)
	}
	want(t, m.attributes, map[attribute.Key]string{
		"db.system.name": "postgresql", "db.namespace": "shop|public", "server.address": "db.example",
		"server.port": "5433", "db.query.summary": "DELETE t", "peer.service": "orders",
	})
}

func TestDurationOfAFailure(t *testing.T) {
	t.Parallel()
	m := measured(t, failing(call(sp.OpCommit, ""), stateError("40001")))
	want(t, m.attributes, map[attribute.Key]string{
		"db.system.name": "postgresql", "db.namespace": "shop|public", "server.address": "db.example",
		"server.port": "5433", "db.operation.name": "COMMIT", "error.type": "40001", "db.response.status_code": "40001",
	})
}

func TestInstrumentsAreThoseOfTheConventions(t *testing.T) {
	t.Parallel()
	m := &meter{}
	newTracing(t, &recorder{}, tracing.WithMeterProvider(m), tracing.WithRowsReturned())
	if m.scope != "github.com/sessionproxy/sessionproxy/tracing" {
		t.Errorf("scope %q", m.scope)
	}
	if got, want := m.boundaries[durationMetric], []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}; !slices.Equal(got, want) {
		t.Errorf("boundaries %v, want %v", got, want)
	}
	if m.units[durationMetric] != "s" || m.units[rowsMetric] != "{row}" {
		t.Errorf("units %v", m.units)
	}
}

func TestReturnedRowsAreMeasuredOnRequest(t *testing.T) {
	t.Parallel()
	m := &meter{}
	tr := newTracing(t, &recorder{}, tracing.WithMeterProvider(m), tracing.WithRowsReturned())
	c := doing(call(sp.OpQuery, "SELECT a FROM t"), func(_ context.Context, c *sp.Call) error {
		c.RowsReturned = 7
		return nil
	})
	for _, c := range []*sp.Call{c, call(sp.OpExec, "DELETE FROM t"), failing(call(sp.OpQuery, "SELECT 1"), stateError("42601"))} {
		_, _ = run(t.Context(), c, tr)
	}
	if got := m.all(rowsMetric); len(got) != 1 || got[0].value != 7 {
		t.Errorf("got %v, want one measurement of 7", got)
	}
}

func TestOnlyStatementsAreMeasured(t *testing.T) {
	t.Parallel()
	m := &meter{}
	tr := newTracing(t, &recorder{}, tracing.WithMeterProvider(m))
	for _, op := range []sp.Op{sp.OpTransaction, sp.SessionOp("flush"), sp.SessionOp("add"), sp.OpClose} {
		_, _ = run(t.Context(), call(op, ""), tr)
	}
	if got := m.all(durationMetric); len(got) != 0 {
		t.Errorf("got %d measurements, want none", len(got))
	}
}

func TestDisabledInstrumentIsNotUsed(t *testing.T) {
	t.Parallel()
	m := &meter{off: true}
	_, _ = run(t.Context(), call(sp.OpExec, "SELECT 1"), newTracing(t, &recorder{}, tracing.WithMeterProvider(m)))
	if got := m.all(durationMetric); len(got) != 0 {
		t.Errorf("got %d measurements, want none", len(got))
	}
}

// timedRecorder's spans tell their time, as the SDK's do.
type timedRecorder struct{ recorder }

type timedTracer struct{ tracer }

type timedSpan struct{ *span }

func (r *timedRecorder) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	return timedTracer{r.recorder.Tracer(name, opts...).(tracer)}
}

func (t timedTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, s := t.tracer.Start(ctx, name, opts...)
	return ctx, timedSpan{s.(*span)}
}

func (timedSpan) StartTime() time.Time { return time.Unix(1000, 0) }
func (timedSpan) EndTime() time.Time   { return time.Unix(1002, 500e6) }

func TestDurationIsTheSpansOwn(t *testing.T) {
	t.Parallel()
	m, r := &meter{}, &timedRecorder{}
	tr, err := tracing.New(tracing.WithTracerProvider(r), tracing.WithMeterProvider(m))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = run(t.Context(), call(sp.OpExec, "SELECT 1"), tr)
	got := m.all(durationMetric)
	if len(got) != 1 || got[0].value != 2.5 {
		t.Errorf("got %v, want the 2.5 s of the span", got)
	}
	if got[0].span.SpanID() != r.all()[0].context.SpanID() {
		t.Error("the measurement's context does not hold the span")
	}
}
