package integration_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// TestWaitingAndTravellingAreTold runs an awaited session under tracing and
// metrics.
func TestWaitingAndTravellingAreTold(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	reader := metric.NewManualReader()
	eng, err := engine.Open(t.Context(), dbtest.Postgres(t).Database(t).URL(),
		engine.WithChain(sp.NewChain(must(tracing.New(tracing.WithTracerProvider(provider))))))
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Dispose()
	a := must(proxy.NewMaker(eng, proxy.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))).Async()
	const statements = 50
	for range statements {
		a.Execute(t.Context(), engine.Text("SELECT pg_sleep(0)"))
	}
	if err := a.Commit(t.Context()).Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Aclose(t.Context()).Await(context.Background()); err != nil {
		t.Fatal(err)
	}
	events := map[string]int{}
	for _, s := range spans.Ended() {
		for _, e := range s.Events() {
			events[s.Name()+" "+e.Name]++
		}
	}
	if events["session.execute queued"] != statements || events["SELECT pg_sleep pipelined"] < 2 && events["SELECT pipelined"] < 2 {
		t.Errorf("events %v", events)
	}
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch points := m.Data.(type) {
		case metricdata.Histogram[float64]:
			counts[m.Name+" "+m.Unit] = points.DataPoints[0].Count
		case metricdata.Histogram[int64]:
			counts[m.Name+" "+m.Unit] = points.DataPoints[0].Count
		}
	}
	if counts["sessionproxy.async.queue s"] < statements || counts["sessionproxy.async.pipelined {statement}"] == 0 {
		t.Errorf("metrics %v", counts)
	}
}
