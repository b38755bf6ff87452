package bench

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// spansOf is how many spans an operation has at least: one for each statement,
// BEGIN and COMMIT.
var spansOf = map[string]int{"exec": 1, "query": 1, "prepared exec": 1, "transaction of one exec": 3}

// TestEverySubjectDoesWhatItsNameSays: a subject that makes no span, or measures
// nothing, is compared with what it is not.
func TestEverySubjectDoesWhatItsNameSays(t *testing.T) {
	t.Parallel()
	for _, load := range Workloads {
		for i := range perState(Always, Always.Provider(), meters) {
			spans, reader := tracetest.NewSpanRecorder(), sdkmetric.NewManualReader()
			tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(spans))
			mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
			s := perState(Always, tp, func() metric.MeterProvider { return mp })[i]
			performOnce(t, s, load, spans)
			got, want := len(spans.Ended()), spansOf[load.Name]
			peer := strings.Contains(s.Name, "otelsql")
			if want == 0 || got < want || !peer && got != want {
				t.Errorf("%s, %s: %d spans, want %d", s.Name, load.Name, got, want)
			}
			if got, want := measurements(t, reader), strings.Contains(s.Name, "metrics"); got != want {
				t.Errorf("%s, %s: has measured %t, want %t", s.Name, load.Name, got, want)
			}
		}
	}
}

// performOnce performs the operation once, after what prepares it.
func performOnce(t *testing.T, s Subject, load Workload, spans *tracetest.SpanRecorder) {
	t.Helper()
	connector, err := FakeConnector("")
	if err != nil {
		t.Fatal(err)
	}
	db, err := s.Open(connector)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	op, err := load.Prepare(db)
	if err == nil {
		err = db.PingContext(t.Context()) // opens the connection
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if s.Context != nil {
		ctx, cancel = s.Context()
	}
	defer cancel()
	spans.Reset()
	if err := op(ctx); err != nil {
		t.Errorf("%s, %s: %v", s.Name, load.Name, err)
	}
}

// measurements reports whether a duration was recorded.
func measurements(t *testing.T, reader sdkmetric.Reader) bool {
	t.Helper()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			if _, ok := m.Data.(metricdata.Histogram[float64]); ok {
				return true
			}
		}
	}
	return false
}
