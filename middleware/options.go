package middleware

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// WaitOption configures [Limit] and [RateLimit].
type WaitOption interface {
	LimitOption
	RateLimitOption
}

type maxWait time.Duration

// WithMaxWait sets how long a call may wait, from 0, with which no call waits.
// One that would wait longer is refused. The default is 30 seconds for [Limit],
// as for a connection of an engine's pool, and a second for [RateLimit]. The
// caller's deadline bounds the wait as well.
func WithMaxWait(d time.Duration) WaitOption { return maxWait(d) }

func (d maxWait) check() error {
	if d < 0 {
		return fmt.Errorf("middleware: WithMaxWait(%v): want 0 or more", time.Duration(d))
	}
	return nil
}

func (d maxWait) applyLimit(c *limitConfig) error {
	c.maxWait = time.Duration(d)
	return d.check()
}

func (d maxWait) applyRateLimit(c *rateLimitConfig) error {
	c.maxWait = time.Duration(d)
	return d.check()
}

// NameOption configures [Limit], [RateLimit] and [Hedge].
type NameOption interface {
	LimitOption
	RateLimitOption
	HedgeOption
}

type named string

// WithName sets a name that tells an interceptor from others of its kind, in
// errors and in metrics. It is recorded as it is. By default there is none;
// give one to each of several that share a meter provider.
func WithName(name string) NameOption { return named(name) }

func (n named) check() error {
	if n == "" {
		return errors.New(`middleware: WithName(""): want a name`)
	}
	return nil
}

func (n named) applyLimit(c *limitConfig) error {
	c.name = string(n)
	return n.check()
}

func (n named) applyRateLimit(c *rateLimitConfig) error {
	c.name = string(n)
	return n.check()
}

func (n named) applyHedge(c *hedgeConfig) error {
	c.name = string(n)
	return n.check()
}

// MetricsOption configures [Limit], [RateLimit] and [Hedge].
type MetricsOption interface {
	LimitOption
	RateLimitOption
	HedgeOption
}

type metered struct{ provider metric.MeterProvider }

// WithMeterProvider records metrics with instruments of provider; see the
// package documentation for their names. By default none are recorded.
func WithMeterProvider(provider metric.MeterProvider) MetricsOption { return metered{provider} }

func (m metered) check() error {
	if m.provider == nil {
		return errors.New("middleware: WithMeterProvider(nil): want a meter provider")
	}
	return nil
}

func (m metered) applyLimit(c *limitConfig) error {
	c.provider = m.provider
	return m.check()
}

func (m metered) applyRateLimit(c *rateLimitConfig) error {
	c.provider = m.provider
	return m.check()
}

func (m metered) applyHedge(c *hedgeConfig) error {
	c.provider = m.provider
	return m.check()
}
