package tracing_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace/noop"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func TestWrongOptionsAreNamed(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]tracing.Option{
		"WithTracerProvider: the provider is nil":      tracing.WithTracerProvider(nil),
		"WithMeterProvider: the provider is nil":       tracing.WithMeterProvider(nil),
		"WithFilter: the function is nil":              tracing.WithFilter(nil),
		"WithSpanNameFunc: the function is nil":        tracing.WithSpanNameFunc(nil),
		"WithErrorStatus: the function is nil":         tracing.WithErrorStatus(nil),
		"WithQueryTextLimit: -1 is negative":           tracing.WithQueryTextLimit(-1),
		"WithoutOperations: 0 is no operation":         tracing.WithoutOperations(sp.OpUnknown),
		"WithoutOperations: 50 is no operation":        tracing.WithoutOperations(sp.OpPing, 50),
		`the attribute with the value "v" has no key`:  tracing.WithAttributes(attribute.String("", "v")),
		"WithQueryParameters: a key is empty":          tracing.WithQueryParameters("a", ""),
		"creating the instruments: no such instrument": tracing.WithMeterProvider(&meter{fail: durationMetric}),
	} {
		_, err := tracing.New(opt)
		if err == nil || !strings.HasPrefix(err.Error(), "tracing: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	_, err := tracing.New(tracing.WithMeterProvider(&meter{fail: rowsMetric}), tracing.WithRowsReturned())
	if err == nil {
		t.Error("a refused instrument is no error")
	}
}

func TestNilOptionsAreSkipped(t *testing.T) {
	t.Parallel()
	if _, err := tracing.New(nil); err != nil {
		t.Error(err)
	}
}

func TestScopeIsThePackage(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	newTracing(t, r)
	if r.scope != "github.com/sessionproxy/sessionproxy/tracing" || !strings.Contains(r.config.SchemaURL(), "/schemas/1.43.0") {
		t.Errorf("scope %q, schema %q", r.scope, r.config.SchemaURL())
	}
}

func TestWithEverythingOffNothingIsAdded(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]tracing.Option{
		"no spans":       tracing.WithoutSpans(),
		"no-op provider": tracing.WithTracerProvider(noop.NewTracerProvider()),
	} {
		tr, err := tracing.New(opt)
		if err != nil {
			t.Fatal(err)
		}
		c := doing(call(sp.OpExec, "SELECT 1"), func(ctx context.Context, _ *sp.Call) error {
			if ctx != t.Context() {
				t.Errorf("%s: the context was changed", name)
			}
			return nil
		})
		if _, err := run(t.Context(), c, tr); err != nil {
			t.Error(err)
		}
	}
}

func TestFilterKeepsCallsFromBeingObserved(t *testing.T) {
	t.Parallel()
	r, m := &recorder{}, &meter{}
	tr := newTracing(t, r, tracing.WithMeterProvider(m), tracing.WithFilter(func(_ context.Context, c *sp.Call) bool {
		return c.Op != sp.OpPing
	}))
	for _, op := range []sp.Op{sp.OpPing, sp.OpCommit} {
		_, _ = run(t.Context(), call(op, ""), tr)
	}
	if s := only(t, r); s.name != "COMMIT shop|public" || len(m.all(durationMetric)) != 1 {
		t.Errorf("got span %q and %d measurements", s.name, len(m.all(durationMetric)))
	}
}

func TestOperationsCanBeLeftOut(t *testing.T) {
	t.Parallel()
	r, m := &recorder{}, &meter{}
	tr := newTracing(t, r, tracing.WithMeterProvider(m), tracing.WithoutSessionSpans(),
		tracing.WithoutOperations(sp.OpPing, sp.OpTransaction))
	for _, op := range []sp.Op{sp.OpPing, sp.OpTransaction, sp.SessionOp("flush"), sp.OpExec} {
		_, _ = run(t.Context(), call(op, ""), tr)
	}
	if s := only(t, r); s.name != "shop|public" || len(m.all(durationMetric)) != 1 {
		t.Errorf("got span %q and %d measurements", s.name, len(m.all(durationMetric)))
	}
}
