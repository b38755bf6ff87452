package middleware

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// HedgeOption configures [Hedge].
type HedgeOption interface {
	applyHedge(c *hedgeConfig) error
}

type hedgeOptionFunc func(*hedgeConfig) error

func (f hedgeOptionFunc) applyHedge(c *hedgeConfig) error { return f(c) }

type hedgeConfig struct {
	name       string
	fixed      time.Duration // 0: by percentile
	percentile float64
	budget     float64
	free       func() bool // nil: not asked
	provider   metric.MeterProvider
}

// defaultHedgeConfig hedges the slowest twentieth, as long as that is less than
// a tenth of all.
func defaultHedgeConfig() hedgeConfig { return hedgeConfig{percentile: 0.95, budget: 0.1} }

// WithHedgePercentile sets which part of the calls of a statement, from 0.5 to
// 0.99, is through before a second attempt is started. The default is 0.95: one
// call in twenty is slow enough to be hedged. It is measured to the first
// answer, over about the last thousand calls that succeeded; as long as too few
// are known (60, by default), and for texts that come once, there is no second
// attempt.
func WithHedgePercentile(percentile float64) HedgeOption {
	return hedgeOptionFunc(func(c *hedgeConfig) error {
		if !(percentile >= 0.5 && percentile <= 0.99) {
			return fmt.Errorf("middleware: WithHedgePercentile(%v): want 0.5 to 0.99", percentile)
		}
		c.percentile, c.fixed = percentile, 0
		return nil
	})
}

// WithHedgeDelay sets the time, above 0, after which a second attempt is
// started, whatever the statement, in place of a percentile.
func WithHedgeDelay(d time.Duration) HedgeOption {
	return hedgeOptionFunc(func(c *hedgeConfig) error {
		if d <= 0 {
			return fmt.Errorf("middleware: WithHedgeDelay(%v): want more than 0", d)
		}
		c.fixed = d
		return nil
	})
}

// WithHedgeBudget sets how many second attempts may be made, as a part of the
// calls that could be hedged, above 0 and up to 1. The default is 0.1. Up to
// ten may be saved up.
func WithHedgeBudget(fraction float64) HedgeOption {
	return hedgeOptionFunc(func(c *hedgeConfig) error {
		if !(fraction > 0 && fraction <= 1) {
			return fmt.Errorf("middleware: WithHedgeBudget(%v): want more than 0, up to 1", fraction)
		}
		c.budget = fraction
		return nil
	})
}

// WithHedgePool has a second attempt made only if free returns true: that a
// connection is idle, or may be opened. By default the pool is not asked. The
// function must not block and has to be safe for concurrent use.
//
//	middleware.WithHedgePool(func() bool { return db.Stats().Idle > 0 })
func WithHedgePool(free func() bool) HedgeOption {
	return hedgeOptionFunc(func(c *hedgeConfig) error {
		if free == nil {
			return errors.New("middleware: WithHedgePool(nil): want a function")
		}
		c.free = free
		return nil
	})
}
