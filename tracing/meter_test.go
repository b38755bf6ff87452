package tracing_test

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// meter is a meter provider that remembers measurements.
type meter struct {
	noop.MeterProvider
	off  bool   // its instruments are not enabled
	fail string // the instrument that it refuses

	mu         sync.Mutex
	scope      string
	boundaries map[string][]float64
	units      map[string]string
	values     []measurement
}

type measurement struct {
	instrument string
	value      float64
	attributes attribute.Set
	span       trace.SpanContext // of the context it was recorded with
}

func (m *meter) Meter(name string, _ ...metric.MeterOption) metric.Meter {
	m.scope = name
	if m.units == nil {
		m.boundaries, m.units = map[string][]float64{}, map[string]string{}
	}
	return instrumentMaker{m: m}
}

type instrumentMaker struct {
	noop.Meter
	m *meter
}

func (i instrumentMaker) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if name == i.m.fail {
		return nil, errors.New("no such instrument")
	}
	cfg := metric.NewFloat64HistogramConfig(opts...)
	i.m.boundaries[name], i.m.units[name] = cfg.ExplicitBucketBoundaries(), cfg.Unit()
	return floatHistogram{name: name, m: i.m}, nil
}

func (i instrumentMaker) Int64Histogram(name string, opts ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	if name == i.m.fail {
		return nil, errors.New("no such instrument")
	}
	cfg := metric.NewInt64HistogramConfig(opts...)
	i.m.boundaries[name], i.m.units[name] = cfg.ExplicitBucketBoundaries(), cfg.Unit()
	return intHistogram{name: name, m: i.m}, nil
}

func (i instrumentMaker) Int64UpDownCounter(name string, opts ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	if name == i.m.fail {
		return nil, errors.New("no such instrument")
	}
	i.m.units[name] = metric.NewInt64UpDownCounterConfig(opts...).Unit()
	return upDownCounter{name: name, m: i.m}, nil
}

type upDownCounter struct {
	noop.Int64UpDownCounter
	name string
	m    *meter
}

func (c upDownCounter) Add(ctx context.Context, v int64, opts ...metric.AddOption) {
	cfg := metric.NewAddConfig(opts)
	c.m.add(ctx, c.name, float64(v), cfg.Attributes())
}

type floatHistogram struct {
	noop.Float64Histogram
	name string
	m    *meter
}

func (h floatHistogram) Enabled(context.Context) bool { return !h.m.off }

func (h floatHistogram) Record(ctx context.Context, v float64, opts ...metric.RecordOption) {
	h.m.record(ctx, h.name, v, opts)
}

type intHistogram struct {
	noop.Int64Histogram
	name string
	m    *meter
}

func (h intHistogram) Record(ctx context.Context, v int64, opts ...metric.RecordOption) {
	h.m.record(ctx, h.name, float64(v), opts)
}

func (m *meter) record(ctx context.Context, name string, v float64, opts []metric.RecordOption) {
	cfg := metric.NewRecordConfig(opts)
	m.add(ctx, name, v, cfg.Attributes())
}

func (m *meter) add(ctx context.Context, name string, v float64, attributes attribute.Set) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values = append(m.values, measurement{name, v, attributes, trace.SpanContextFromContext(ctx)})
}

// all returns the measurements of an instrument.
func (m *meter) all(instrument string) []measurement {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []measurement
	for _, v := range m.values {
		if v.instrument == instrument {
			out = append(out, v)
		}
	}
	return out
}
