package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// asyncMeters are the instruments of async sessions. A nil one records
// nothing.
type asyncMeters struct {
	queue     metric.Float64Histogram
	pipelined metric.Int64Histogram
}

// WithMeterProvider records metrics of async sessions with OpenTelemetry:
//
//	sessionproxy.async.queue      s            how long an operation waited for those before it
//	sessionproxy.async.pipelined  {statement}  how many statements were sent in one round trip
//
// Without it there are none.
func WithMeterProvider(p metric.MeterProvider) MakerOption {
	return makerOption(func(m *Maker) error {
		if p == nil {
			return errors.New("proxy: WithMeterProvider(nil): want a provider")
		}
		meter := p.Meter("github.com/sessionproxy/sessionproxy/proxy", metric.WithSchemaURL(semconv.SchemaURL))
		queue, err := meter.Float64Histogram("sessionproxy.async.queue", metric.WithUnit("s"),
			metric.WithDescription("How long an operation of an async session waited for those before it."),
			metric.WithExplicitBucketBoundaries(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5))
		if err != nil {
			return fmt.Errorf("proxy: WithMeterProvider: %w", err)
		}
		pipelined, err := meter.Int64Histogram("sessionproxy.async.pipelined", metric.WithUnit("{statement}"),
			metric.WithDescription("How many statements of an async session were sent in one round trip."),
			metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 20, 50, 100, 200))
		if err != nil {
			return fmt.Errorf("proxy: WithMeterProvider: %w", err)
		}
		m.awaited.meters = &asyncMeters{queue, pipelined}
		return nil
	})
}

func (m *asyncMeters) waited(ctx context.Context, d time.Duration) {
	if m != nil {
		m.queue.Record(ctx, d.Seconds())
	}
}

func (m *asyncMeters) together(ctx context.Context, n int) {
	if m != nil {
		m.pipelined.Record(ctx, int64(n))
	}
}
