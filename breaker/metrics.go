package breaker

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/breaker"

// stateKey is the attribute that holds a circuit's state.
const stateKey = attribute.Key("sessionproxy.breaker.state")

// meters records refusals and states. A nil *meters records nothing.
type meters struct {
	rejected metric.Int64Counter
}

// labels are the attributes of a circuit's measurements, one set per state.
type labels *[states]metric.MeasurementOption

func newMeters(provider metric.MeterProvider, circuits *registry) (*meters, error) {
	if provider == nil {
		return nil, nil
	}
	meter := provider.Meter(scopeName, metric.WithSchemaURL(semconv.SchemaURL))
	rejected, err := meter.Int64Counter("sessionproxy.breaker.rejected",
		metric.WithDescription("Calls refused by a circuit breaker."), metric.WithUnit("{call}"))
	if err != nil {
		return nil, fmt.Errorf("breaker: make a counter: %w", err)
	}
	_, err = meter.Int64ObservableUpDownCounter("sessionproxy.breaker.state",
		metric.WithDescription("Circuits of the target that are in the state."), metric.WithUnit("{circuit}"),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			observe(o, circuits.all())
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("breaker: make a counter of states: %w", err)
	}
	return &meters{rejected: rejected}, nil
}

// refused counts a refusal.
func (m *meters) refused(ctx context.Context, c *circuit, s State) {
	if m != nil {
		m.rejected.Add(ctx, 1, c.identity().labels[s])
	}
}

// observe reports how many circuits of each target are in each state: of one
// database there are as many as there are roles that connect, and as many
// without a name as there are handles, which are not told apart here.
func observe(o metric.Int64Observer, circuits []*circuit) {
	type tally struct {
		labels labels
		in     [states]int64
	}
	tallies := make(map[sessionproxy.Target]*tally, len(circuits))
	for _, c := range circuits {
		i := c.identity()
		t := tallies[i.target.Named()]
		if t == nil {
			t = &tally{labels: i.labels}
			tallies[i.target.Named()] = t
		}
		t.in[c.phase.Load().shown(c.cfg.now())]++
	}
	for _, t := range tallies {
		for s, n := range t.in {
			o.Observe(n, t.labels[s])
		}
	}
}

// newLabels returns the attributes of t with each state.
func newLabels(t sessionproxy.Target) labels {
	attrs := telemetry.Target(&t)
	l := new([states]metric.MeasurementOption)
	for s := range states {
		set := attribute.NewSet(append(slices.Clip(attrs), stateKey.String(State(s).String()))...)
		l[s] = metric.WithAttributeSet(set)
	}
	return l
}
