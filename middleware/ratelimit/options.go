package ratelimit

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
	name     string
	maxWait  time.Duration
	provider metric.MeterProvider
}

// defaultConfig has calls wait for a second at most.
func defaultConfig() config { return config{maxWait: time.Second} }

// WithMaxWait sets how long a call may wait, 0 or more; with 0 no call waits. A
// call that would wait longer is refused. The default is a second. The caller's
// deadline bounds the wait too.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 {
			return fmt.Errorf("ratelimit: WithMaxWait(%v): want 0 or more", d)
		}
		c.maxWait = d
		return nil
	})
}

// WithName sets a name that distinguishes the limiter from others, in errors
// and metrics. It is recorded unchanged. By default there is none; give one to
// each limiter if several share a meter provider.
func WithName(name string) Option {
	return optionFunc(func(c *config) error {
		if name == "" {
			return errors.New(`ratelimit: WithName(""): want a name`)
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
			return errors.New("ratelimit: WithMeterProvider(nil): want a meter provider")
		}
		c.provider = provider
		return nil
	})
}
