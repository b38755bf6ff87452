package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/dbconv"

	sp "github.com/sessionproxy/sessionproxy"
)

// poolTimes records how long the connections of a pool take to open, are
// waited for, and are used.
type poolTimes struct {
	create, wait, use metric.Float64Histogram
	with              metric.MeasurementOption
}

func newPoolTimes(cfg config) (*poolTimes, error) {
	meter := meterOf(cfg.meters)
	// The conventions give these histograms no boundaries: those of the
	// operations' durations make them comparable.
	bounds := metric.WithExplicitBucketBoundaries(durationBounds...)
	create, err := dbconv.NewClientConnectionCreateTime(meter, bounds)
	if err != nil {
		return nil, err
	}
	wait, err := dbconv.NewClientConnectionWaitTime(meter, bounds)
	if err != nil {
		return nil, err
	}
	use, err := dbconv.NewClientConnectionUseTime(meter, bounds)
	if err != nil {
		return nil, err
	}
	pool := []attribute.KeyValue{semconv.DBClientConnectionPoolName(cfg.pool)}
	return &poolTimes{
		create: create.Inst(), wait: wait.Inst(), use: use.Inst(),
		with: metric.WithAttributeSet(attribute.NewSet(concat(cfg.attributes, pool)...)),
	}, nil
}

// wrap returns a handler that measures the calls that open and take
// connections.
func (p *poolTimes) wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		switch call.Op {
		case sp.OpConnect:
			return p.connect(ctx, call, next)
		case sp.OpAcquire:
			return p.acquire(ctx, call, next)
		default:
			return next(ctx, call)
		}
	}
}

func (p *poolTimes) connect(ctx context.Context, call *sp.Call, next sp.Handler) error {
	start := time.Now()
	err := next(ctx, call)
	if err == nil {
		p.create.Record(ctx, time.Since(start).Seconds(), p.with)
	}
	return err
}

// acquire measures the wait until next returns and the use until the call
// ends, if it stays open for that.
func (p *poolTimes) acquire(ctx context.Context, call *sp.Call, next sp.Handler) error {
	start := time.Now()
	var taken time.Time
	call.OnFinish(func(error) {
		if !taken.IsZero() {
			p.use.Record(ctx, time.Since(taken).Seconds(), p.with)
		}
	})
	err := next(ctx, call)
	if err != nil {
		return err
	}
	now := time.Now()
	p.wait.Record(ctx, now.Sub(start).Seconds(), p.with)
	if call.Open() {
		taken = now
	}
	return nil
}
