package throttle

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/middleware/throttle"

func newCounter(p metric.MeterProvider) (metric.Int64Counter, error) {
	if p == nil {
		return nil, nil
	}
	meter := p.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	counter, err := meter.Int64Counter("sessionproxy.throttle.rejected",
		metric.WithDescription("Calls refused because the database refuses calls."), metric.WithUnit("{call}"))
	if err != nil {
		return nil, fmt.Errorf("throttle: make a counter: %w", err)
	}
	return counter, nil
}

// labels returns the attributes of a target.
func labels(t sp.Target) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(telemetry.Target(&t)...))
}

// refused counts a refused call.
func (t *Throttler) refused(ctx context.Context, s *share) {
	if t.counter != nil {
		t.counter.Add(ctx, 1, s.labels)
	}
}
