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

// newMeter returns the meter of this package.
func newMeter(p metric.MeterProvider) metric.Meter {
	return p.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
}

// The attributes of our metrics.
const (
	limitNameKey   = attribute.Key("sessionproxy.limit.name")
	limitReasonKey = attribute.Key("sessionproxy.limit.reason")
)

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

func newRefusals(m metric.Meter, named []attribute.KeyValue, counter string, reasons ...LimitReason) (*refusals, error) {
	r := &refusals{sets: make(map[LimitReason]metric.MeasurementOption, len(reasons))}
	var err error
	if r.counter, err = m.Int64Counter(counter,
		metric.WithDescription("Calls refused by a limit."), metric.WithUnit("{call}")); err != nil {
		return nil, fmt.Errorf("middleware: make a counter: %w", err)
	}
	for _, reason := range reasons {
		set := attribute.NewSet(append(slices.Clip(named), limitReasonKey.String(string(reason)))...)
		r.sets[reason] = metric.WithAttributeSet(set)
	}
	return r, nil
}

// nameAttrs returns the attributes of a name that may be empty.
func nameAttrs(key attribute.Key, name string) []attribute.KeyValue {
	if name == "" {
		return nil
	}
	return []attribute.KeyValue{key.String(name)}
}

// newLimitMeters makes the instruments of a Limiter, of which waiting tells the
// length of the queue; nil without a provider.
func newLimitMeters(c limitConfig, waiting func() int64) (*refusals, error) {
	if c.provider == nil {
		return nil, nil
	}
	meter, named := newMeter(c.provider), nameAttrs(limitNameKey, c.name)
	_, err := meter.Int64ObservableUpDownCounter("sessionproxy.limit.queue",
		metric.WithDescription("Calls that wait for a permit."), metric.WithUnit("{call}"),
		observed(waiting, named))
	if err != nil {
		return nil, fmt.Errorf("middleware: make a counter of waiting calls: %w", err)
	}
	return newRefusals(meter, named, "sessionproxy.limit.rejected", LimitQueueFull, LimitDeadline, LimitMaxWait)
}

// observed returns a callback that reports what value returns.
func observed(value func() int64, attrs []attribute.KeyValue) metric.Int64ObservableUpDownCounterOption {
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	return metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(value(), set)
		return nil
	})
}
