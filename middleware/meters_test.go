package middleware_test

import (
	"context"
	"errors"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

var errInstrument = errors.New("no such instrument")

// meters is a meter provider that keeps sums by instrument and attributes. It
// is for tests in which one goroutine at a time measures.
type meters struct {
	noop.MeterProvider
	sums map[string]int64
	read map[string]metric.Int64Callback
	fail string // the instrument that can't be made
}

func (m *meters) Meter(string, ...metric.MeterOption) metric.Meter {
	m.sums, m.read = map[string]int64{}, map[string]metric.Int64Callback{}
	return meter{meters: m}
}

// same fails the test unless this is what was measured, and what is now.
func (m *meters) same(t *testing.T, want map[string]int64) {
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
	*meters
}

func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if name == m.fail {
		return nil, errInstrument
	}
	return counter{meters: m.meters, name: name}, nil
}

func (m meter) Int64ObservableUpDownCounter(name string, opts ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	if name == m.fail {
		return nil, errInstrument
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
	*meters
	name string
}

func (c counter) Add(_ context.Context, n int64, opts ...metric.AddOption) {
	c.sums[key(c.name, metric.NewAddConfig(opts).Attributes())] += n
}

// observer collects what a callback reports.
type observer struct {
	noop.Int64Observer
	name   string
	values map[string]int64
}

func (o observer) Observe(n int64, opts ...metric.ObserveOption) {
	o.values[key(o.name, metric.NewObserveConfig(opts).Attributes())] = n
}
