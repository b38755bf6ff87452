package linktest

import (
	"context"
	"errors"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// ErrInstrument is the error of an instrument that can't be made.
var ErrInstrument = errors.New("no such instrument")

// Meters is a meter provider that keeps sums by instrument and attributes. It
// is for tests in which one goroutine at a time measures.
type Meters struct {
	noop.MeterProvider
	sums map[string]int64
	read map[string]metric.Int64Callback
	Fail string // the instrument that can't be made
}

// Meter returns a meter that counts in m.
func (m *Meters) Meter(string, ...metric.MeterOption) metric.Meter {
	m.sums, m.read = map[string]int64{}, map[string]metric.Int64Callback{}
	return meter{Meters: m}
}

// Same fails the test unless this is what was measured, and what is now.
func (m *Meters) Same(t *testing.T, want map[string]int64) {
	t.Helper()
	got := maps.Clone(m.sums)
	for name, read := range m.read {
		if err := read(t.Context(), observer{name: name, values: got}); err != nil {
			t.Fatal(err)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("measured %v, want %v", got, want)
	}
}

type meter struct {
	noop.Meter
	*Meters
}

// Int64Counter returns a counter that m keeps.
func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if name == m.Fail {
		return nil, ErrInstrument
	}
	return counter{Meters: m.Meters, name: name}, nil
}

// Int64ObservableUpDownCounter keeps the callback.
func (m meter) Int64ObservableUpDownCounter(name string, opts ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	if name == m.Fail {
		return nil, ErrInstrument
	}
	m.read[name] = metric.NewInt64ObservableUpDownCounterConfig(opts...).Callbacks()[0]
	return noop.Int64ObservableUpDownCounter{}, nil
}

// key names a series.
func key(name string, set attribute.Set) string {
	if set.Len() == 0 {
		return name
	}
	return name + " " + set.Encoded(attribute.DefaultEncoder())
}

type counter struct {
	noop.Int64Counter
	*Meters
	name string
}

// Add adds to the sum of the attributes.
func (c counter) Add(_ context.Context, n int64, opts ...metric.AddOption) {
	c.sums[key(c.name, metric.NewAddConfig(opts).Attributes())] += n
}

// observer collects what a callback reports.
type observer struct {
	noop.Int64Observer
	name   string
	values map[string]int64
}

// Observe keeps a value.
func (o observer) Observe(n int64, opts ...metric.ObserveOption) {
	o.values[key(o.name, metric.NewObserveConfig(opts).Attributes())] = n
}
