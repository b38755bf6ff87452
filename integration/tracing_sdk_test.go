package integration_test

import (
	"context"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// traced returns a handle of a new SQLite database under tracing alone.
func traced(t *testing.T, tr *tracing.Tracing) *sqldb.DB {
	t.Helper()
	db := must(sqldb.Open("sqlite", filepath.Join(t.TempDir(), "shop.db"), sp.NewChain(tr)))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return must(sqldb.Wrap(db))
}

// durations returns the points of the operation-duration metric.
func (c *telemetry) durations(t *testing.T) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := c.reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "db.client.operation.duration" {
				return h.DataPoints
			}
		}
	}
	return nil
}

// TestMeasuredDurationIsTheSpansOwn holds what the conventions ask for with
// the SDK's spans, which tell their start and end.
func TestMeasuredDurationIsTheSpansOwn(t *testing.T) {
	t.Parallel()
	c := collect(t)
	if _, err := traced(t, c.tracing).ExecContext(t.Context(), "CREATE TABLE customers (id INTEGER)"); err != nil {
		t.Fatal(err)
	}
	spans, points := named(c.take(), "CREATE TABLE customers"), c.durations(t)
	if len(spans) != 1 || len(points) != 1 || points[0].Count != 1 {
		t.Fatalf("spans %v, %d points of the metric, want one of each", names(spans), len(points))
	}
	s, p := spans[0], points[0]
	if want := s.EndTime.Sub(s.StartTime).Seconds(); p.Sum != want {
		t.Errorf("%v s were measured, the span took %v s", p.Sum, want)
	}
	if len(p.Exemplars) != 1 || trace.SpanID(p.Exemplars[0].SpanID) != s.SpanContext.SpanID() {
		t.Errorf("exemplars %v, want the span", p.Exemplars)
	}
	if s.InstrumentationScope.SchemaURL == "" {
		t.Error("the scope has no schema")
	}
}

// showing is a sampler that takes no span and keeps what it was shown.
type showing map[attribute.Key]string

func (s showing) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	for _, kv := range p.Attributes {
		s[kv.Key] = kv.Value.String()
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}

func (showing) Description() string { return "showing" }

func TestSamplersSeeTheStatement(t *testing.T) {
	t.Parallel()
	c, shown := collect(t), showing{}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(shown), sdktrace.WithSyncer(c.spans))
	tr := must(tracing.New(tracing.WithTracerProvider(provider), tracing.WithMeterProvider(c.meters)))
	if _, err := traced(t, tr).ExecContext(t.Context(), "CREATE TABLE t (a DEFAULT 's3cr3t')"); err != nil {
		t.Fatal(err)
	}
	wanted := showing{
		"db.system.name": "sqlite", "db.namespace": "shop.db",
		"db.query.summary": "CREATE TABLE t", "db.query.text": "CREATE TABLE t (a DEFAULT ?)",
	}
	for key, want := range wanted {
		if shown[key] != want {
			t.Errorf("the sampler saw %s=%q, want %q", key, shown[key], want)
		}
	}
	if spans := c.take(); len(spans) != 0 {
		t.Errorf("spans %v were exported", names(spans))
	}
	if len(c.durations(t)) == 0 {
		t.Error("what is not sampled is not measured either")
	}
}

// TestAbandonedRowsEndTheirSpan cancels a query that never ends by itself.
func TestAbandonedRowsEndTheirSpan(t *testing.T) {
	t.Parallel()
	c := collect(t)
	db := traced(t, c.tracing)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := db.QueryContext(ctx, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	cancel()
	for rows.Next() {
	}
	_ = rows.Close() // has happened, or happens now
	spans := c.take()
	if len(spans) != 2 { // with the connection's
		t.Fatalf("spans %v", names(spans))
	}
	s := spans[1]
	if s.Status.Code != codes.Error || s.Status.Description != "canceled" || attr(s, "db.response.returned_rows") == "0" {
		t.Errorf("status %+v, attributes %v", s.Status, s.Attributes)
	}
}
