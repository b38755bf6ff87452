package hedge

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/middleware/hedge"

// meters counts second attempts. A nil *meters counts nothing.
type meters struct {
	attempts, skipped metric.Int64Counter
	won, lost         metric.MeasurementOption
	reasons           map[string]metric.MeasurementOption
}

func newMeters(p metric.MeterProvider, name string) (*meters, error) {
	if p == nil {
		return nil, nil
	}
	const prefix = "sessionproxy.hedge"
	meter := p.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	var attrs []attribute.KeyValue
	if name != "" {
		attrs = append(attrs, attribute.String(prefix+".name", name))
	}
	with := func(key, value string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(append(slices.Clip(attrs), attribute.String(prefix+key, value))...))
	}
	m := &meters{
		won: with(".outcome", "won"), lost: with(".outcome", "lost"),
		reasons: map[string]metric.MeasurementOption{"pool": with(".reason", "pool"), "budget": with(".reason", "budget")},
	}
	var err error
	if m.attempts, err = meter.Int64Counter(prefix+".attempts",
		metric.WithDescription("Second attempts made at calls that took long."), metric.WithUnit("{attempt}")); err != nil {
		return nil, fmt.Errorf("hedge: make a counter: %w", err)
	}
	if m.skipped, err = meter.Int64Counter(prefix+".skipped",
		metric.WithDescription("Second attempts that were due and not made."), metric.WithUnit("{attempt}")); err != nil {
		return nil, fmt.Errorf("hedge: make a counter: %w", err)
	}
	return m, nil
}

// raced counts a second attempt.
func (m *meters) raced(ctx context.Context, won bool) {
	switch {
	case m == nil:
	case won:
		m.attempts.Add(ctx, 1, m.won)
	default:
		m.attempts.Add(ctx, 1, m.lost)
	}
}

// skip counts a second attempt that was not made.
func (m *meters) skip(ctx context.Context, reason string) {
	if m != nil {
		m.skipped.Add(ctx, 1, m.reasons[reason])
	}
}
