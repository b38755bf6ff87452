package admission

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Refusals counts refused calls by reason. A nil *Refusals counts nothing.
type Refusals struct {
	counter metric.Int64Counter
	sets    map[string]metric.MeasurementOption
}

// Add counts a refusal.
func (r *Refusals) Add(ctx context.Context, reason string) {
	if r != nil {
		r.counter.Add(ctx, 1, r.sets[reason])
	}
}

// Meters says what to measure, and with what.
type Meters struct {
	// Provider makes the instruments; nil for none.
	Provider metric.MeterProvider
	// Scope is the import path of the package that measures.
	Scope string
	// Prefix is that of the instruments' names, as "sessionproxy.limit".
	Prefix string
	// Name tells the interceptor from others of its kind; or "".
	Name string
}

// New makes the instruments: a number of calls that wait, as waiting tells it,
// and a count of refusals for the reasons. It returns nil without a provider.
func (m Meters) New(waiting func() int64, reasons ...string) (*Refusals, error) {
	if m.Provider == nil {
		return nil, nil
	}
	meter := m.Provider.Meter(m.Scope, metric.WithSchemaURL(semconv.SchemaURL))
	var attrs []attribute.KeyValue
	if m.Name != "" {
		attrs = append(attrs, attribute.String(m.Prefix+".name", m.Name))
	}
	queue := metric.WithAttributeSet(attribute.NewSet(attrs...))
	_, err := meter.Int64ObservableUpDownCounter(m.Prefix+".queue",
		metric.WithDescription("Calls that wait at a limit."), metric.WithUnit("{call}"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(waiting(), queue)
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("make a counter of waiting calls: %w", err)
	}
	r := &Refusals{sets: make(map[string]metric.MeasurementOption, len(reasons))}
	if r.counter, err = meter.Int64Counter(m.Prefix+".rejected",
		metric.WithDescription("Calls refused by a limit."), metric.WithUnit("{call}")); err != nil {
		return nil, fmt.Errorf("make a counter: %w", err)
	}
	for _, reason := range reasons {
		set := attribute.NewSet(append(slices.Clip(attrs), attribute.String(m.Prefix+".reason", reason))...)
		r.sets[reason] = metric.WithAttributeSet(set)
	}
	return r, nil
}
