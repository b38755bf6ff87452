package adaptivelimit

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// measure makes the instruments that tell of the limit itself, for each database.
// They are observed for as long as the provider lives.
func (l *Limiter) measure() error {
	if l.provider == nil {
		return nil
	}
	meter := l.provider.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	limit, err := meter.Int64ObservableGauge("sessionproxy.adaptive_limit.limit",
		metric.WithDescription("Calls that may run at once."), metric.WithUnit("{call}"))
	if err != nil {
		return fmt.Errorf("make a gauge of the limit: %w", err)
	}
	inUse, err := meter.Int64ObservableUpDownCounter("sessionproxy.adaptive_limit.in_use",
		metric.WithDescription("Calls that hold a permit."), metric.WithUnit("{call}"))
	if err != nil {
		return fmt.Errorf("make a counter of permits: %w", err)
	}
	latency, err := meter.Float64ObservableGauge("sessionproxy.adaptive_limit.latency",
		metric.WithDescription("Mean time that calls took lately."), metric.WithUnit("s"))
	if err != nil {
		return fmt.Errorf("make a gauge of the latency: %w", err)
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, s := range l.named() {
			set := metric.WithAttributeSet(l.attributes(s.Target))
			o.ObserveInt64(limit, int64(s.Limit), set)
			o.ObserveInt64(inUse, int64(s.InUse), set)
			o.ObserveFloat64(latency, s.Latency.Seconds(), set)
		}
		return nil
	}, limit, inUse, latency)
	if err != nil {
		return fmt.Errorf("observe the limit: %w", err)
	}
	return nil
}

// attributes returns those of a target's measurements.
func (l *Limiter) attributes(t sp.Target) attribute.Set {
	attrs := telemetry.Target(&t)
	if l.name != "" {
		attrs = append(slices.Clip(attrs), attribute.String("sessionproxy.adaptive_limit.name", l.name))
	}
	return attribute.NewSet(attrs...)
}

// named returns the state for each database that telemetry tells from others. Of
// several that it does not, such as those of several roles, limits and permits are
// added up, and the longest latency counts.
func (l *Limiter) named() map[sp.Target]Stats {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := map[sp.Target]Stats{}
	for key, t := range l.targets {
		s := t.stats(key, false)
		if other, ok := out[s.Target]; ok {
			s.Limit += other.Limit
			s.InUse += other.InUse
			s.Latency = max(s.Latency, other.Latency)
		}
		out[s.Target] = s
	}
	return out
}
