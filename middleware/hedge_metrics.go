package middleware

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// hedgeMeters counts second attempts. A nil *hedgeMeters counts nothing.
type hedgeMeters struct {
	attempts, skipped metric.Int64Counter
	won, lost         metric.MeasurementOption
	reasons           map[string]metric.MeasurementOption
}

func newHedgeMeters(p metric.MeterProvider, name string) (*hedgeMeters, error) {
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
	m := &hedgeMeters{
		won: with(".outcome", "won"), lost: with(".outcome", "lost"),
		reasons: map[string]metric.MeasurementOption{"pool": with(".reason", "pool"), "budget": with(".reason", "budget")},
	}
	var err error
	if m.attempts, err = meter.Int64Counter(prefix+".attempts",
		metric.WithDescription("Second attempts made at calls that took long."), metric.WithUnit("{attempt}")); err != nil {
		return nil, fmt.Errorf("middleware: make a counter: %w", err)
	}
	if m.skipped, err = meter.Int64Counter(prefix+".skipped",
		metric.WithDescription("Second attempts that were due and not made."), metric.WithUnit("{attempt}")); err != nil {
		return nil, fmt.Errorf("middleware: make a counter: %w", err)
	}
	return m, nil
}

// raced counts a second attempt.
func (m *hedgeMeters) raced(ctx context.Context, won bool) {
	switch {
	case m == nil:
	case won:
		m.attempts.Add(ctx, 1, m.won)
	default:
		m.attempts.Add(ctx, 1, m.lost)
	}
}

// skip counts a second attempt that was not made.
func (m *hedgeMeters) skip(ctx context.Context, reason string) {
	if m != nil {
		m.skipped.Add(ctx, 1, m.reasons[reason])
	}
}
