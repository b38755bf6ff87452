package hedge

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	name       string
	fixed      time.Duration // 0: by percentile
	percentile float64
	budget     float64
	free       func() bool // nil: not asked
	provider   metric.MeterProvider
}

// defaultConfig hedges the slowest twentieth, as long as that is less than
// a tenth of all.
func defaultConfig() config { return config{percentile: 0.95, budget: 0.1} }

// WithPercentile sets which fraction of a statement's calls, from 0.5 to 0.99,
// has finished by the time a second attempt is started. The default is 0.95:
// one call in twenty is slow enough to be hedged. It is measured to the first
// answer, over about the last thousand calls that succeeded; while too few are
// known (60, by default), and for SQL text used only once, there is no second
// attempt.
func WithPercentile(percentile float64) Option {
	return optionFunc(func(c *config) error {
		if !(percentile >= 0.5 && percentile <= 0.99) {
			return fmt.Errorf("hedge: WithPercentile(%v): want 0.5 to 0.99", percentile)
		}
		c.percentile, c.fixed = percentile, 0
		return nil
	})
}

// WithDelay sets the time, above 0, after which a second attempt is
// started, whatever the statement, in place of a percentile.
func WithDelay(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("hedge: WithDelay(%v): want more than 0", d)
		}
		c.fixed = d
		return nil
	})
}

// WithBudget sets how many second attempts may be made, as a fraction of the
// calls that could be hedged, above 0 and up to 1. The default is 0.1. Up to
// ten unused ones are saved.
func WithBudget(fraction float64) Option {
	return optionFunc(func(c *config) error {
		if !(fraction > 0 && fraction <= 1) {
			return fmt.Errorf("hedge: WithBudget(%v): want more than 0, up to 1", fraction)
		}
		c.budget = fraction
		return nil
	})
}

// WithPool makes a second attempt only if free returns true, which means that a
// connection is idle or may be opened. By default the pool is not consulted.
// The function must not block and has to be safe for concurrent use.
//
//	hedge.WithPool(func() bool { return db.Stats().Idle > 0 })
func WithPool(free func() bool) Option {
	return optionFunc(func(c *config) error {
		if free == nil {
			return errors.New("hedge: WithPool(nil): want a function")
		}
		c.free = free
		return nil
	})
}

// WithName sets a name that distinguishes the hedge from others in metrics. It
// is recorded unchanged. By default there is none; give one to each hedge if
// several share a meter provider.
func WithName(name string) Option {
	return optionFunc(func(c *config) error {
		if name == "" {
			return errors.New(`hedge: WithName(""): want a name`)
		}
		c.name = name
		return nil
	})
}

// WithMeterProvider records metrics with instruments of provider; see the
// package documentation for their names. By default none are recorded.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(c *config) error {
		if provider == nil {
			return errors.New("hedge: WithMeterProvider(nil): want a meter provider")
		}
		c.provider = provider
		return nil
	})
}
