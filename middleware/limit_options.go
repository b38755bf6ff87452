package middleware

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// LimitOption configures [Limit].
type LimitOption interface {
	applyLimit(c *limitConfig) error
}

type limitOptionFunc func(*limitConfig) error

func (f limitOptionFunc) applyLimit(c *limitConfig) error { return f(c) }

type limitConfig struct {
	name     string
	queue    int
	maxWait  time.Duration
	pool     int // 0: its size is not known
	logger   *slog.Logger
	provider metric.MeterProvider
}

// defaultLimitConfig lets ten times as many calls wait as may work, for as
// long as an engine waits for a connection of its pool.
func defaultLimitConfig(n int) limitConfig {
	queue := math.MaxInt
	if n < math.MaxInt/10 {
		queue = 10 * n
	}
	return limitConfig{queue: queue, maxWait: 30 * time.Second}
}

// warnAbout warns if a limit of n is without effect.
func (c *limitConfig) warnAbout(n int) {
	if c.pool == 0 || n < c.pool {
		return
	}
	attrs := []any{slog.Int("limit", n), slog.Int("pool_size", c.pool)}
	if c.name != "" {
		attrs = append(attrs, slog.String("name", c.name))
	}
	c.logger.Warn("middleware: Limit: the limit is not below the size of the pool: calls will wait for connections, not for permits", attrs...)
}

// WithQueue sets how many calls may wait for a permit, from 0, which has every
// call refused that can't start at once. The default is ten times the limit.
func WithQueue(length int) LimitOption {
	return limitOptionFunc(func(c *limitConfig) error {
		if length < 0 {
			return fmt.Errorf("middleware: WithQueue(%d): want 0 or more", length)
		}
		c.queue = length
		return nil
	})
}

// WithPoolSize tells how many connections the pool has, above 0, and has a
// warning written to logger when the limit is not below it. Such a limit holds
// nobody back that the pool would not, and then calls wait for a connection,
// without a bound on the queue.
func WithPoolSize(size int, logger *slog.Logger) LimitOption {
	return limitOptionFunc(func(c *limitConfig) error {
		switch {
		case size <= 0:
			return fmt.Errorf("middleware: WithPoolSize(%d): want more than 0", size)
		case logger == nil:
			return errors.New("middleware: WithPoolSize: want a logger")
		}
		c.pool, c.logger = size, logger
		return nil
	})
}
