package breaker

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel/metric"

	"github.com/sessionproxy/sessionproxy"
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
		firstOpen:   100 * time.Millisecond,
		openTime:    500 * time.Millisecond,
		maxWait:     time.Second,
		maxWaiting:  1000,
		probes:      7,
		lease:       2 * time.Second,
		maxTargets:  1024,
		jitter:      evenly,
	}
}

// The bounds of options, which keep a circuit's memory and the walk over its
// window small.
const (
	maxBuckets = 1000
	maxProbes  = 10_000
)

// WithFailureRate sets the fraction of the calls in the window that must fail
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
// rate opens a circuit, 1 or more; excluded calls do not count. The default is
// 20.
func WithMinimumRequests(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 {
			c.reject("WithMinimumRequests(%d): want 1 or more", n)
			return
		}
		c.minimum = int64(n)
	})
}

// WithConsecutiveFailures sets the number of failures without a success between
// them that opens a circuit, however long they take, so that outages of a
// database with few callers are noticed too. 0 turns the rule off. The default
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

// WithWindow sets the rolling window for the rates: a number of buckets, 1 to
// 1000, of a period each, above 0. The oldest bucket is dropped when a new one
// begins. The default is 10 buckets of 1 s.
func WithWindow(buckets int, period time.Duration) Option {
	return optionFunc(func(c *config) {
		if buckets < 1 || buckets > maxBuckets || period <= 0 || period > math.MaxInt64/maxBuckets {
			c.reject("WithWindow(%d, %v): want 1 to %d buckets and a period above 0", buckets, period, maxBuckets)
			return
		}
		c.buckets, c.period = buckets, period
	})
}

// WithSlowCalls also opens a circuit when the given fraction of the calls in
// the window, above 0 and at most 1, was slow: took threshold, above 0, or
// longer until the database's first answer. The time includes waiting for a
// connection, if the call does so. A slow probe opens the circuit again.
//
// With this option, slow calls that end with the caller's deadline or the
// server's statement timeout are failures too. Otherwise they are excluded,
// since they may only mean an impatient caller.
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

// WithFirstOpenTime sets how long a circuit stays open before it lets the first
// probe through, above 0; each failed probe doubles the time, up to
// [WithOpenTime]. Up to a quarter is added at random, so that many processes do
// not probe at the same moment. A circuit that was closed for a while (four
// times the longest open time) starts over. The default is 100 ms: most
// restarts and promotions are short.
func WithFirstOpenTime(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.reject("WithFirstOpenTime(%v): want more than 0", d)
			return
		}
		c.firstOpen = d
	})
}

// WithJitter sets the function that draws how much is added to an open time: it
// gets the maximum, a quarter of the open time, and returns a duration from
// zero to it; a value outside is clamped. It has to be quick and safe for
// concurrent use, and must not use the breaker. The default draws uniformly.
func WithJitter(draw func(longest time.Duration) time.Duration) Option {
	return optionFunc(func(c *config) {
		if draw == nil {
			c.reject("WithJitter(nil): want a function")
			return
		}
		c.jitter = draw
	})
}

// WithMaxWait sets how long a call waits at most, while its circuit is
// half-open, for the outcome of earlier probes, 0 or more; a call whose context
// ends sooner waits only until then. 0 refuses it at once. Calls also wait while
// the circuit is open: at the beginning of an outage, for twice as long, and
// whenever the server hangs; if it is gone for longer they wait for the next
// probe, for half as long at most. [WithMaxWaiting] bounds how many. Calls that hold a
// connection never wait, such as those of a plain [database/sql.DB], which
// takes the connection before the chain is asked. The default is 1 s.
func WithMaxWait(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d < 0 {
			c.reject("WithMaxWait(%v): want 0 or more", d)
			return
		}
		c.maxWait = d
	})
}

// WithMaxWaiting sets how many calls may wait at each circuit, 1 or more. One more
// takes the place of the call that has waited longest, which is refused. So while a
// server hangs, no more callers than these are kept, and the more come, the shorter
// each is. The default is 1000.
func WithMaxWaiting(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 {
			c.reject("WithMaxWaiting(%d): want 1 or more", n)
			return
		}
		c.maxWaiting = n
	})
}

// WithProbe makes the breaker send its own probes: while a circuit is open,
// ping is called instead of using a caller's statement, with the target of the
// circuit and a context that ends with the probe's lease. A nil error is a
// success, any error a failure. Let ping use its own connection, or a handle
// without the breaker: a ping through the breaker would compete with itself for
// the place of the probe. It runs on its own goroutine, one at a time for each
// circuit, until [Breaker.Close], which you have to call. By default the next
// call is the probe.
func WithProbe(ping func(ctx context.Context, target *sessionproxy.Target) error) Option {
	return optionFunc(func(c *config) {
		if ping == nil {
			c.reject("WithProbe(nil): want a function")
			return
		}
		c.prober = newProber(ping)
	})
}

// WithOpenTime sets the longest time a circuit stays open before it lets the
// next probe through, while probes fail, above 0; see [WithFirstOpenTime] for
// the times before. The default is 500 ms: a recovery is noticed within that
// time, and a database that stays down gets at most two probes a second from
// each process.
func WithOpenTime(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.reject("WithOpenTime(%v): want more than 0", d)
			return
		}
		c.openTime = d
	})
}

// WithProbes sets how many calls must succeed, without a failure among them, to
// close a half-open circuit, 1 to 10000. They are let through in steps: one,
// then two at a time, then four, so that a server that has just started is not
// overrun. The default is 7, three steps.
func WithProbes(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 || n > maxProbes {
			c.reject("WithProbes(%d): want 1 to %d", n, maxProbes)
			return
		}
		c.probes = uint32(n)
	})
}

// WithProbeLease sets how long a probe may take before another call can take
// its place, above 0. Its outcome is not counted then. The default is 2 s.
func WithProbeLease(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.reject("WithProbeLease(%v): want more than 0", d)
			return
		}
		c.lease = d
	})
}

// WithMaxTargets bounds the number of circuits, 1 or more. A further target
// replaces the one whose loss matters least: closed, and idle for longest. The
// default is 1024; a circuit takes up to 6 kB with the default window.
func WithMaxTargets(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 {
			c.reject("WithMaxTargets(%d): want 1 or more", n)
			return
		}
		c.maxTargets = n
	})
}

// WithOnStateChange adds a function that is called for every change of a
// circuit's state, including forced ones. Changes are reported one at a time,
// in order, without any lock held: the function may use the Breaker. It runs on
// the goroutine of a call that caused a change, so it should be quick; a change
// made while it runs is reported afterwards, by the same goroutine.
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

// WithGobreakerSettings adjusts the breaker through gobreaker's settings.
// Adjust gets the settings that result from all other options, whatever their
// order, and may change
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
