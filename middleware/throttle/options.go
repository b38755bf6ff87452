package throttle

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
	factor   float64
	window   time.Duration
	random   func() float64
	provider metric.MeterProvider
}

func defaultConfig() config {
	return config{factor: 2, window: 3 * time.Second, random: rand.Float64}
}

// maxFactor is so large that nothing is ever refused before the database has
// refused all but one call in a thousand.
const maxFactor = 1000

// WithFactor sets how many calls may pass for each one that the database
// accepts, from 1 to 1000. The default is 2: at most half of the calls that
// reach the database are wasted, and refusals begin once more than half of them
// are. The lower it is, the fewer calls are wasted, and the longer it takes to
// notice that the database accepts more again; at 1 that never happens.
//
// A breaker opens at a failure rate of a half by default. To have calls
// throttled before it opens, use less than 2 here, such as 1.5.
func WithFactor(k float64) Option {
	return optionFunc(func(c *config) error {
		if !(k >= 1 && k <= maxFactor) {
			return fmt.Errorf("throttle: WithFactor(%v): want 1 to %d", k, maxFactor)
		}
		c.factor = k
		return nil
	})
}

// The bounds of a window, whose tenth is what it moves by.
const (
	minWindow = 10 * time.Millisecond
	maxWindow = time.Hour
)

// WithWindow sets the period over which calls are counted, from 10 ms to an
// hour. The default is 3 s. A longer one is steadier and slower to react: after
// an overload it takes about three windows until refusals stop.
func WithWindow(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < minWindow || d > maxWindow {
			return fmt.Errorf("throttle: WithWindow(%v): want %v to %v", d, minWindow, maxWindow)
		}
		c.window = d
		return nil
	})
}

// WithRandom sets the source of the numbers, from 0 to below 1, that decide
// which calls are refused. It has to be safe for concurrent use. The default is
// [rand.Float64]; set another for reproducible tests.
func WithRandom(random func() float64) Option {
	return optionFunc(func(c *config) error {
		if random == nil {
			return errors.New("throttle: WithRandom(nil): want a function")
		}
		c.random = random
		return nil
	})
}

// WithMeterProvider records metrics with instruments of provider; see the
// package documentation for their names. By default none are recorded.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(c *config) error {
		if provider == nil {
			return errors.New("throttle: WithMeterProvider(nil): want a meter provider")
		}
		c.provider = provider
		return nil
	})
}
