package retry

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/admission"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/retry"

// reasonKey is the attribute that says why a call was given up.
const reasonKey = attribute.Key("sessionproxy.retry.reason")

// meters records what happens to calls that fail. A nil *meters records
// nothing.
type meters struct {
	attempts metric.Int64Counter
	givenUp  metric.Int64Counter
	mu       sync.Mutex // guards sets
	sets     map[labels]metric.MeasurementOption
}

// maxSets bounds the sets of attributes that are kept. Those past it are made
// each time.
const maxSets = 10 * admission.MaxTargets

// labels identify a set of attributes.
type labels struct {
	target sessionproxy.Target
	class  fault.Class
	reason Reason
}

func newMeters(p metric.MeterProvider, b *Budget) (*meters, error) {
	meter := p.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	m := &meters{sets: map[labels]metric.MeasurementOption{}}
	var err error
	if m.attempts, err = meter.Int64Counter("sessionproxy.retry.attempts",
		metric.WithDescription("Attempts made after a failed one."), metric.WithUnit("{attempt}")); err != nil {
		return nil, fmt.Errorf("retry: make a counter: %w", err)
	}
	if m.givenUp, err = meter.Int64Counter("sessionproxy.retry.exhausted",
		metric.WithDescription("Calls given up although the failure could have been retried."), metric.WithUnit("{call}")); err != nil {
		return nil, fmt.Errorf("retry: make a counter: %w", err)
	}
	if b == nil {
		return m, nil
	}
	if _, err = meter.Int64ObservableGauge("sessionproxy.retry.budget.remaining",
		metric.WithDescription("Tokens left in the retry budget."), metric.WithUnit("{token}"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for target, tokens := range b.remaining() {
				o.Observe(tokens, m.with(labels{target: target}))
			}
			return nil
		})); err != nil {
		return nil, fmt.Errorf("retry: make a gauge: %w", err)
	}
	return m, nil
}

// retried counts an attempt that follows a failure of the class.
func (m *meters) retried(ctx context.Context, t *sessionproxy.Target, class fault.Class) {
	if m != nil {
		m.attempts.Add(ctx, 1, m.with(labels{target: named(t), class: class}))
	}
}

// exhausted counts a call that is given up.
func (m *meters) exhausted(ctx context.Context, t *sessionproxy.Target, class fault.Class, reason Reason) {
	if m != nil {
		m.givenUp.Add(ctx, 1, m.with(labels{target: named(t), class: class, reason: reason}))
	}
}

// with returns the attributes for l, made once for each.
func (m *meters) with(l labels) metric.MeasurementOption {
	m.mu.Lock()
	defer m.mu.Unlock()
	set, ok := m.sets[l]
	if !ok {
		set = metric.WithAttributeSet(l.attributes())
		if len(m.sets) < maxSets {
			m.sets[l] = set
		}
	}
	return set
}

// attributes returns what l stands for, in the words of the semantic
// conventions.
func (l labels) attributes() attribute.Set {
	attrs := telemetry.Target(&l.target)
	if l.class != fault.ClassNone {
		attrs = append(attrs, semconv.ErrorTypeKey.String(l.class.String()))
	}
	if l.reason != "" {
		attrs = append(attrs, reasonKey.String(string(l.reason)))
	}
	return attribute.NewSet(attrs...)
}
