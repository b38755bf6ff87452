package limit

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
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
	queue    int
	maxWait  time.Duration
	pool     int // 0: its size is not known
	logger   *slog.Logger
	provider metric.MeterProvider
}

// defaultConfig lets ten times as many calls wait as may work, for as
// long as an engine waits for a connection of its pool.
func defaultConfig(n int) config {
	queue := math.MaxInt
	if n < math.MaxInt/10 {
		queue = 10 * n
	}
	return config{queue: queue, maxWait: 30 * time.Second}
}

// warnAbout warns if a limit of n is without effect.
func (c *config) warnAbout(n int) {
	if c.pool == 0 || n < c.pool {
		return
	}
	attrs := []any{slog.Int("limit", n), slog.Int("pool_size", c.pool)}
	if c.name != "" {
		attrs = append(attrs, slog.String("name", c.name))
	}
	c.logger.Warn("limit: the limit is not below the size of the pool: calls will wait for connections, not for permits", attrs...)
}

// WithQueue sets how many calls may wait for a permit, 0 or more; with 0 every
// call that can't start at once is refused. The default is ten times the limit.
func WithQueue(length int) Option {
	return optionFunc(func(c *config) error {
		if length < 0 {
			return fmt.Errorf("limit: WithQueue(%d): want 0 or more", length)
		}
		c.queue = length
		return nil
	})
}

// WithPoolSize states how many connections the pool has, above 0, and logs a
// warning if the limit is not below it. A limit that is not below the pool size
// has no effect: calls then wait for a connection instead, in the pool's
// unbounded queue.
func WithPoolSize(size int, logger *slog.Logger) Option {
	return optionFunc(func(c *config) error {
		switch {
		case size <= 0:
			return fmt.Errorf("limit: WithPoolSize(%d): want more than 0", size)
		case logger == nil:
			return errors.New("limit: WithPoolSize: want a logger")
		}
		c.pool, c.logger = size, logger
		return nil
	})
}

// WithMaxWait sets how long a call may wait, 0 or more; with 0 no call waits. A
// call that would wait longer is refused. The default is 30 seconds, as for a
// connection of an engine's pool. The caller's deadline bounds the wait too.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 {
			return fmt.Errorf("limit: WithMaxWait(%v): want 0 or more", d)
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
			return errors.New(`limit: WithName(""): want a name`)
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
			return errors.New("limit: WithMeterProvider(nil): want a meter provider")
		}
		c.provider = provider
		return nil
	})
}
