package middleware

import (
	"time"

	"go.opentelemetry.io/otel/metric"
)

// RateLimitOption configures [RateLimit].
type RateLimitOption interface {
	applyRateLimit(c *rateLimitConfig) error
}

type rateLimitConfig struct {
	name     string
	maxWait  time.Duration
	provider metric.MeterProvider
}

// defaultRateLimitConfig has calls wait for a second at most.
func defaultRateLimitConfig() rateLimitConfig { return rateLimitConfig{maxWait: time.Second} }
