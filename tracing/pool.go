package tracing

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"

	sp "github.com/sessionproxy/sessionproxy"
)

// WatchPool records the metrics of a connection pool, named by
// OpenTelemetry's semantic conventions (docs/db/database-metrics.md):
// db.client.connection.count by state, .idle.max, .idle.min, .max,
// .pending_requests and .timeouts, each with the attribute
// db.client.connection.pool.name and the given attributes. What the pool does
// not report is not recorded.
//
//	stop, err := tracing.WatchPool(provider, "orders", func() sessionproxy.PoolStats {
//		return sqldb.PoolStats(db)
//	})
//
// stats is called whenever metrics are collected, until the returned function
// is called; it must not block and must be safe for concurrent use. name
// distinguishes the application's pools. provider, name and stats are required;
// it is an error to leave one out, or if the provider refuses an instrument.
//
// [WithPoolName] records how long it takes to open a connection and to get one,
// and how long it is used.
func WatchPool(
	provider metric.MeterProvider, name string, stats func() sp.PoolStats, attributes ...attribute.KeyValue,
) (stop func() error, err error) {
	switch {
	case provider == nil:
		return nil, errors.New("tracing: WatchPool: the meter provider is nil")
	case name == "":
		return nil, errors.New("tracing: WatchPool: the pool has no name")
	case stats == nil:
		return nil, errors.New("tracing: WatchPool: the function for the pool's state is nil")
	}
	w, err := newPoolWatch(meterOf(provider), name, attributes)
	if err != nil {
		return nil, fmt.Errorf("tracing: WatchPool: creating the instruments: %w", err)
	}
	observe := func(_ context.Context, o metric.Observer) error {
		w.observe(o, stats())
		return nil
	}
	registration, err := w.meter.RegisterCallback(observe, w.all()...)
	if err != nil {
		return nil, fmt.Errorf("tracing: WatchPool: registering: %w", err)
	}
	return registration.Unregister, nil
}

func meterOf(provider metric.MeterProvider) metric.Meter {
	return provider.Meter(scopeName,
		metric.WithInstrumentationVersion(version()), metric.WithSchemaURL(semconv.SchemaURL))
}

// poolWatch is the instruments of a pool.
type poolWatch struct {
	meter    metric.Meter
	count    dbconv.ClientConnectionCountObservable
	bounds   [3]metric.Int64ObservableUpDownCounter // max, idle max, idle min
	pending  dbconv.ClientConnectionPendingRequestsObservable
	timeouts dbconv.ClientConnectionTimeoutsObservable

	pool, idle, used metric.MeasurementOption
}

func newPoolWatch(meter metric.Meter, name string, attributes []attribute.KeyValue) (*poolWatch, error) {
	w := &poolWatch{meter: meter}
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		pool := []attribute.KeyValue{semconv.DBClientConnectionPoolName(name)}
		return metric.WithAttributeSet(attribute.NewSet(concat(attributes, pool, more)...))
	}
	w.pool = with()
	w.idle, w.used = with(semconv.DBClientConnectionStateIdle), with(semconv.DBClientConnectionStateUsed)

	errs := make([]error, 6)
	w.count, errs[0] = dbconv.NewClientConnectionCountObservable(meter)
	most, err := dbconv.NewClientConnectionMaxObservable(meter)
	errs[1] = err
	idleMax, err := dbconv.NewClientConnectionIdleMaxObservable(meter)
	errs[2] = err
	idleMin, err := dbconv.NewClientConnectionIdleMinObservable(meter)
	errs[3] = err
	w.bounds = [3]metric.Int64ObservableUpDownCounter{most.Inst(), idleMax.Inst(), idleMin.Inst()}
	w.pending, errs[4] = dbconv.NewClientConnectionPendingRequestsObservable(meter)
	w.timeouts, errs[5] = dbconv.NewClientConnectionTimeoutsObservable(meter)
	return w, errors.Join(errs...)
}

// all returns the instruments that observe reports to.
func (w *poolWatch) all() []metric.Observable {
	out := []metric.Observable{w.count.Inst(), w.pending.Inst(), w.timeouts.Inst()}
	for _, b := range w.bounds {
		out = append(out, b)
	}
	return out
}

// observe reports what the pool tells.
func (w *poolWatch) observe(o metric.Observer, s sp.PoolStats) {
	known := func(instrument metric.Int64Observable, value int64, with metric.MeasurementOption) {
		if value != sp.UnknownCount {
			o.ObserveInt64(instrument, value, with)
		}
	}
	known(w.count.Inst(), s.Idle, w.idle)
	known(w.count.Inst(), s.Used, w.used)
	for i, bound := range []int64{s.Max, s.IdleMax, s.IdleMin} {
		known(w.bounds[i], bound, w.pool)
	}
	known(w.pending.Inst(), s.Pending, w.pool)
	known(w.timeouts.Inst(), s.Timeouts, w.pool)
}
