package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// telemetry is where spans and metrics go: to a collector if one is given, and
// to the summary that the load prints.
type telemetry struct {
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
	reader  *sdkmetric.ManualReader
	spans   counter
}

// counter counts spans.
type counter struct{ n atomic.Int64 }

func (c *counter) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (c *counter) OnEnd(sdktrace.ReadOnlySpan)                     { c.n.Add(1) }
func (c *counter) Shutdown(context.Context) error                  { return nil }
func (c *counter) ForceFlush(context.Context) error                { return nil }

func newTelemetry(ctx context.Context, endpoint string) (*telemetry, error) {
	t := &telemetry{reader: sdkmetric.NewManualReader()}
	traces := []sdktrace.TracerProviderOption{sdktrace.WithSpanProcessor(&t.spans)}
	metrics := []sdkmetric.Option{sdkmetric.WithReader(t.reader)}
	if endpoint != "" {
		spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
		if err != nil {
			return nil, err
		}
		points, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/metrics"))
		if err != nil {
			return nil, err
		}
		traces = append(traces, sdktrace.WithBatcher(spans))
		metrics = append(metrics, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points, sdkmetric.WithInterval(5*time.Second))))
	}
	t.traces, t.metrics = sdktrace.NewTracerProvider(traces...), sdkmetric.NewMeterProvider(metrics...)
	return t, nil
}

// close sends what is left.
func (t *telemetry) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx))
}

// trace gives each request a span, which those of the database stand under.
func (t *telemetry) trace(next http.Handler) http.Handler {
	tracer := t.traces.Tracer("webservice")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// summary says what the pipeline has seen.
func (t *telemetry) summary(ctx context.Context) string {
	var b strings.Builder
	fmt.Fprintf(&b, "spans    %d\n", t.spans.n.Load())
	var data metricdata.ResourceMetrics
	if err := t.reader.Collect(ctx, &data); err != nil {
		return b.String()
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch points := m.Data.(type) {
			case metricdata.Histogram[float64]:
				if m.Name == "db.client.operation.duration" {
					for _, p := range points.DataPoints {
						name, ok := p.Attributes.Value("db.query.summary")
						if !ok {
							name, _ = p.Attributes.Value("db.operation.name")
						}
						fmt.Fprintf(&b, "database %6d × %6.2f ms  %s\n", p.Count, 1000*p.Sum/float64(p.Count), name.AsString())
					}
				}
			case metricdata.Sum[int64]:
				var sum int64
				for _, p := range points.DataPoints {
					sum += p.Value
				}
				if strings.HasPrefix(m.Name, "sessionproxy.") {
					fmt.Fprintf(&b, "%-8d %s\n", sum, m.Name)
				}
			}
		}
	}
	return b.String()
}
