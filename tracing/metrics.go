package tracing

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"
)

// instruments are what measurements are recorded with.
type instruments struct {
	duration metric.Float64Histogram
	rows     metric.Int64Histogram // nil: not wanted
}

// durationBounds are the boundaries that the semantic conventions,
// docs/db/database-metrics.md, want for durations in seconds.
var durationBounds = []float64{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10}

func newInstruments(cfg config) (*instruments, error) {
	meter := meterOf(cfg.meters)
	duration, err := dbconv.NewClientOperationDuration(meter, metric.WithExplicitBucketBoundaries(durationBounds...))
	if err != nil {
		return nil, err
	}
	m := &instruments{duration: duration.Inst()}
	if !cfg.rows {
		return m, nil
	}
	rows, err := dbconv.NewClientResponseReturnedRows(meter,
		metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000))
	if err != nil {
		return nil, err
	}
	m.rows = rows.Inst()
	return m, nil
}

// A timedSpan tells its own start and end, as the SDK's recorded spans do.
type timedSpan interface {
	StartTime() time.Time
	EndTime() time.Time
}

// startClock notes the time, unless the span will tell: the duration that is
// recorded is to be the span's own.
func (o *observation) startClock() {
	if _, ok := o.timedSpan(); !ok {
		o.started = time.Now()
	}
}

func (o *observation) timedSpan() (timedSpan, bool) {
	if !o.recording {
		return nil, false
	}
	s, ok := o.span.(timedSpan)
	return s, ok
}

// measure records the call's duration and rows. The context holds the span,
// so that a measurement can be an exemplar of it.
func (o *observation) measure(f failure) {
	options := o.record.measure
	if f.failed {
		options = o.record.measureFailure(f)
	}
	m := o.tracing.metrics
	m.duration.Record(o.ctx, o.elapsed().Seconds(), options...)
	if m.rows != nil && !f.failed && returnsRows(o.call.Op) {
		m.rows.Record(o.ctx, o.call.RowsReturned, options...)
	}
}

func (o *observation) elapsed() time.Duration {
	if s, ok := o.timedSpan(); ok {
		return s.EndTime().Sub(s.StartTime())
	}
	return time.Since(o.started)
}

// measureOptions returns the options of a measurement with these attributes.
func measureOptions(attributes []attribute.KeyValue) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(concat(attributes)...))}
}

func (r *record) measureFailure(f failure) []metric.RecordOption {
	return measureOptions(concat(f.attributes(), r.attributes))
}
