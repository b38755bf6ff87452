package breaker

import (
	"fmt"
	"math"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/metric"
)

// Option configures a [Breaker].
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

func defaultConfig() *config {
	return &config{
		failureRate: 0.5,
		minimum:     20,
		consecutive: 10,
		buckets:     10,
		period:      time.Second,
		openTime:    10 * time.Second,
		probes:      3,
		lease:       30 * time.Second,
		maxTargets:  1024,
	}
}

// The bounds of options, which keep a circuit's memory and the walk over its
// window small.
const (
	maxBuckets = 1000
	maxProbes  = 10_000
)

// WithFailureRate sets the part of the calls in the window that have to fail
// to open a circuit, above 0 and at most 1. The default is 0.5. It needs at
// least [WithMinimumRequests] calls.
func WithFailureRate(rate float64) Option {
	return optionFunc(func(c *config) {
		if !isRate(rate) {
			c.reject("WithFailureRate(%v): want more than 0, at most 1", rate)
			return
		}
		c.failureRate = rate
	})
}

// WithMinimumRequests sets the number of calls in the window below which no
// rate opens a circuit, 1 or more; the excluded ones are none of them. The
// default is 20.
func WithMinimumRequests(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 {
			c.reject("WithMinimumRequests(%d): want 1 or more", n)
			return
		}
		c.minimum = int64(n)
	})
}

// WithConsecutiveFailures sets the number of failures without a success
// between them that opens a circuit, however much time they take: so a
// database with few callers is noticed too. 0 turns the rule off. The default
// is 10.
func WithConsecutiveFailures(n int) Option {
	return optionFunc(func(c *config) {
		if n < 0 {
			c.reject("WithConsecutiveFailures(%d): want 0 or more", n)
			return
		}
		c.consecutive = int64(n)
	})
}

// WithWindow sets the rolling window over which rates are taken: a number of
// buckets, 1 to 1000, of a period each, above 0. The oldest bucket is
// forgotten when a new one is begun. The default is 10 buckets of 1 s.
func WithWindow(buckets int, period time.Duration) Option {
	return optionFunc(func(c *config) {
		if buckets < 1 || buckets > maxBuckets || period <= 0 || period > math.MaxInt64/maxBuckets {
			c.reject("WithWindow(%d, %v): want 1 to %d buckets and a period above 0", buckets, period, maxBuckets)
			return
		}
		c.buckets, c.period = buckets, period
	})
}

// WithSlowCalls opens a circuit also when the given part of the calls in the
// window, above 0 and at most 1, was slow: took threshold, above 0, or longer
// until the database's first answer. The time includes the wait for a
// connection where the call makes it. A slow probe opens the circuit again.
//
// The option also makes failures of slow calls that ended by the caller's
// deadline or the server's limit on a statement's time, which otherwise are
// excluded, since they may speak of an impatient caller only.
//
// The default is off. It costs a second reading of the clock per call.
func WithSlowCalls(threshold time.Duration, rate float64) Option {
	return optionFunc(func(c *config) {
		if threshold <= 0 || !isRate(rate) {
			c.reject("WithSlowCalls(%v, %v): want a threshold above 0 and a rate above 0, at most 1", threshold, rate)
			return
		}
		c.slow, c.slowRate = threshold, rate
	})
}

// WithOpenTime sets how long a circuit stays open before it lets probes
// through, above 0. The default is 10 s: a recovery is noticed soon enough,
// and a database that fails for a minute sees a handful of probes.
func WithOpenTime(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.reject("WithOpenTime(%v): want more than 0", d)
			return
		}
		c.openTime = d
	})
}

// WithProbes sets how many calls a half-open circuit lets through, 1 to
// 10000; it closes when all of them succeeded. The default is 3: one answer
// may come from a proxy in front of the database that accepts connections.
func WithProbes(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 || n > maxProbes {
			c.reject("WithProbes(%d): want 1 to %d", n, maxProbes)
			return
		}
		c.probes = uint32(n)
	})
}

// WithProbeLease sets how long a probe may take before another call can have
// its place, above 0. Its outcome is not counted then. The default is 30 s.
func WithProbeLease(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.reject("WithProbeLease(%v): want more than 0", d)
			return
		}
		c.lease = d
	})
}

// WithMaxTargets bounds the number of circuits, 1 or more. One more target
// takes the place of the one whose loss matters least: closed, and idle for
// longest. The default is 1024; a circuit takes up to 6 kB with the default
// window.
func WithMaxTargets(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 {
			c.reject("WithMaxTargets(%d): want 1 or more", n)
			return
		}
		c.maxTargets = n
	})
}

// WithOnStateChange adds a function that is told of every change of a
// circuit's state, forced ones included. Changes are told one at a time, in
// the order in which they were made, outside of every lock: the function may
// use the Breaker. It runs on the goroutine of a call that made a change, so
// it should be quick; a change made while it runs is told by the same
// goroutine afterwards.
func WithOnStateChange(watch func(Change)) Option {
	return optionFunc(func(c *config) {
		if watch == nil {
			c.reject("WithOnStateChange(nil): want a function")
			return
		}
		c.notices.watchers = append(c.notices.watchers, watch)
	})
}

// WithMeterProvider turns metrics on, which are off by default:
// sessionproxy.breaker.state and sessionproxy.breaker.rejected.
func WithMeterProvider(p metric.MeterProvider) Option {
	return optionFunc(func(c *config) {
		if p == nil {
			c.reject("WithMeterProvider(nil): want a provider")
			return
		}
		c.provider = p
	})
}

// WithGobreakerSettings lets those who know gobreaker say things in its words.
// Adjust gets the settings that the other options, wherever they stand, come
// to, and may change
//
//   - MaxRequests and Timeout: see [WithProbes] and [WithOpenTime];
//   - Interval and BucketPeriod: see [WithWindow]; a BucketPeriod of 0 means
//     one bucket of the length of Interval;
//   - ReadyToTrip, which is asked after every failure of a closed circuit and
//     takes the place of [WithFailureRate] and [WithConsecutiveFailures]. It
//     is called outside of every lock, by several goroutines at a time. Of the
//     counts, ConsecutiveSuccesses is always 0, and ConsecutiveFailures does
//     not shrink when time passes;
//   - OnStateChange, which is told of changes among the three states that
//     gobreaker has, as [WithOnStateChange] says.
//
// Name, IsSuccessful and IsExcluded must stay nil or empty: a breaker has many
// circuits, and what counts is package fault's to say.
func WithGobreakerSettings(adjust func(*gobreaker.Settings)) Option {
	return optionFunc(func(c *config) {
		if adjust == nil {
			c.reject("WithGobreakerSettings(nil): want a function")
			return
		}
		c.adjust = append(c.adjust, adjust)
	})
}

// isRate reports whether r is a rate; not a number is none.
func isRate(r float64) bool { return r > 0 && r <= 1 }

// reject keeps the first option that was given a bad value.
func (c *config) reject(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("breaker: "+format, args...)
	}
}
