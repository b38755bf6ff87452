package middleware

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/middleware"

// refusals counts refused calls by reason. A nil *refusals counts nothing.
type refusals struct {
	counter metric.Int64Counter
	sets    map[LimitReason]metric.MeasurementOption
}

// add counts a refusal.
func (r *refusals) add(ctx context.Context, reason LimitReason) {
	if r != nil {
		r.counter.Add(ctx, 1, r.sets[reason])
	}
}

// newLimitMeters makes the instruments of a limit, under a prefix: of calls
// that wait, as waiting tells them, and of refusals for the reasons. It returns
// nil without a provider.
func newLimitMeters(p metric.MeterProvider, prefix, name string, waiting func() int64, reasons ...LimitReason) (*refusals, error) {
	if p == nil {
		return nil, nil
	}
	meter := p.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	var attrs []attribute.KeyValue
	if name != "" {
		attrs = append(attrs, attribute.String(prefix+".name", name))
	}
	queue := metric.WithAttributeSet(attribute.NewSet(attrs...))
	_, err := meter.Int64ObservableUpDownCounter(prefix+".queue",
		metric.WithDescription("Calls that wait at a limit."), metric.WithUnit("{call}"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(waiting(), queue)
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("middleware: make a counter of waiting calls: %w", err)
	}
	r := &refusals{sets: make(map[LimitReason]metric.MeasurementOption, len(reasons))}
	if r.counter, err = meter.Int64Counter(prefix+".rejected",
		metric.WithDescription("Calls refused by a limit."), metric.WithUnit("{call}")); err != nil {
		return nil, fmt.Errorf("middleware: make a counter: %w", err)
	}
	for _, reason := range reasons {
		set := attribute.NewSet(append(slices.Clip(attrs), attribute.String(prefix+".reason", string(reason)))...)
		r.sets[reason] = metric.WithAttributeSet(set)
	}
	return r, nil
}
