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
// accepts, from 1 to 1000. The default is 2: at most every other call that
// reaches the database is in vain, and calls begin to be refused once more than
// half of them are. The lower it is, the fewer calls are in vain, and the longer it
// takes to find out that the database accepts more again; at 1 it never does.
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

// WithWindow sets over how long calls are counted, from 10 ms to an hour. The
// default is 3 s. A longer one is steadier, and slower to follow: after an overload
// it takes about three windows until nothing is refused any more.
func WithWindow(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < minWindow || d > maxWindow {
			return fmt.Errorf("throttle: WithWindow(%v): want %v to %v", d, minWindow, maxWindow)
		}
		c.window = d
		return nil
	})
}

// WithRandom sets where the numbers come from, from 0 to below 1, by which calls
// are picked that are refused. It has to be safe for concurrent use. The default
// is [rand.Float64]; tests that want to see the same again set another.
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
