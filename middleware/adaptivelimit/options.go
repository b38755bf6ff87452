package adaptivelimit

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
	name                 string
	least, most, initial int
	queue, perPermit     int // of perPermit if that is not 0
	maxWait              time.Duration
	target, interval     time.Duration
	newest               bool
	provider             metric.MeterProvider
}

func defaultConfig() config {
	return config{
		least: 1, most: 100, initial: 20, perPermit: 10, maxWait: 30 * time.Second,
		target: 50 * time.Millisecond, interval: 500 * time.Millisecond,
	}
}

// count returns an option that sets a number of calls, from least.
func count(name string, n, least int, set func(*config)) Option {
	return optionFunc(func(c *config) error {
		if n < least {
			return fmt.Errorf("adaptivelimit: %s(%d): want %d or more", name, n, least)
		}
		set(c)
		return nil
	})
}

// WithMax sets the highest limit, from 1: the size of the pool. The default is
// 100.
func WithMax(n int) Option { return count("WithMax", n, 1, func(c *config) { c.most = n }) }

// WithMin sets the lowest limit, from 1, which is the default. It must not be above
// the highest.
func WithMin(n int) Option { return count("WithMin", n, 1, func(c *config) { c.least = n }) }

// WithInitial sets the first limit, from 1, clamped to the bounds. The default
// is 20.
func WithInitial(n int) Option { return count("WithInitial", n, 1, func(c *config) { c.initial = n }) }

// WithQueue sets how many calls may wait for a permit at each database, 0 or
// more. The default is ten times the limit of the moment; [WithQueueTime] may
// bound the queue before that.
func WithQueue(length int) Option {
	return count("WithQueue", length, 0, func(c *config) { c.queue, c.perPermit = length, 0 })
}

// WithQueueTime bounds the queue by time. If throughout interval every call has
// waited longer than target, there is overload: calls that have waited for
// twice the target are then refused, with [Overload]. The target is never less
// than the time calls take. The default is 50 ms for 500 ms. A target of 0
// turns it off; otherwise both have to be above 0.
func WithQueueTime(target, interval time.Duration) Option {
	return optionFunc(func(c *config) error {
		if target < 0 || target > 0 && interval <= 0 {
			return fmt.Errorf("adaptivelimit: WithQueueTime(%v, %v): want times above 0, or a target of 0", target, interval)
		}
		c.target, c.interval = target, interval
		return nil
	})
}

// WithNewestFirst serves the newest call of a share first while there is
// overload, since its caller is most likely to be still waiting. By default
// calls are served in order of arrival.
func WithNewestFirst() Option {
	return optionFunc(func(c *config) error {
		c.newest = true
		return nil
	})
}

// WithMaxWait sets how long a call may wait, 0 or more; with 0 no call waits.
// The default is 30 seconds. The caller's deadline bounds the wait too.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 {
			return fmt.Errorf("adaptivelimit: WithMaxWait(%v): want 0 or more", d)
		}
		c.maxWait = d
		return nil
	})
}

// WithName sets a name that distinguishes the limiter from others, in errors
// and metrics. It is recorded unchanged. By default there is none.
func WithName(name string) Option {
	return optionFunc(func(c *config) error {
		if name == "" {
			return errors.New(`adaptivelimit: WithName(""): want a name`)
		}
		c.name = name
		return nil
	})
}

// WithMeterProvider records metrics with instruments of provider; see the package
// documentation for their names. By default none are recorded.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(c *config) error {
		if provider == nil {
			return errors.New("adaptivelimit: WithMeterProvider(nil): want a meter provider")
		}
		c.provider = provider
		return nil
	})
}
