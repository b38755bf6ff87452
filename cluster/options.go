package cluster

import (
	"fmt"
	"time"
)

// An Option configures a [Cluster].
type Option interface{ apply(c *config) error }

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	interval time.Duration
	timeout  time.Duration
	misses   int
	maxLag   time.Duration
	failover time.Duration
	waiters  int64
	fallback bool
	abort    bool
	onChange func(Change)
}

func defaultConfig() config {
	return config{
		interval: time.Second, timeout: 500 * time.Millisecond, misses: 2,
		failover: 30 * time.Second, waiters: 1000, fallback: true, abort: true,
	}
}

// positive makes an option of a duration that has to be positive.
func positive(name string, d time.Duration, set func(c *config)) Option {
	return optionFunc(func(c *config) error {
		if d <= 0 {
			return fmt.Errorf("cluster: %s: %v is not positive", name, d)
		}
		set(c)
		return nil
	})
}

// WithInterval sets how often each server is asked what it is, give or take a
// tenth; by default every second. Servers are asked at once when a call finds
// them at fault, ten times as often while there is no primary, and again at once
// after one question without an answer.
func WithInterval(d time.Duration) Option {
	return positive("WithInterval", d, func(c *config) { c.interval = d })
}

// WithProbeTimeout sets how long a server may take to answer its monitor; by
// default half a second.
func WithProbeTimeout(d time.Duration) Option {
	return positive("WithProbeTimeout", d, func(c *config) { c.timeout = d })
}

// WithMisses sets how many questions in a row a server must leave unanswered to be
// down; by default 2. From the first one on it gets no new calls. A server that
// refuses connections is down at once.
func WithMisses(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 1 {
			return fmt.Errorf("cluster: WithMisses: %d is less than 1", n)
		}
		c.misses = n
		return nil
	})
}

// WithMaxLag keeps reads away from replicas that lag more than d behind the
// primary; by default any lag will do. Lag is measured by the monitors: how long
// ago the primary was seen to have what the replica does not have yet, within an
// interval. It needs servers that tell their positions.
func WithMaxLag(d time.Duration) Option {
	return positive("WithMaxLag", d, func(c *config) { c.maxLag = d })
}

// WithFailoverTimeout sets how long a call waits for a server that is fit for it,
// if its context allows; by default 30 seconds. A call that has waited so long
// fails with a [*NoNodeError].
func WithFailoverTimeout(d time.Duration) Option {
	return positive("WithFailoverTimeout", d, func(c *config) { c.failover = d })
}

// WithFailoverWaiters sets how many calls may wait so at the same time; by default
// 1000. The others are refused at once.
func WithFailoverWaiters(n int) Option {
	return optionFunc(func(c *config) error {
		if n < 0 {
			return fmt.Errorf("cluster: WithFailoverWaiters: %d is negative", n)
		}
		c.waiters = int64(n)
		return nil
	})
}

// WithoutPrimaryReads has reads wait for a replica when none is fit. By default
// the primary serves them.
func WithoutPrimaryReads() Option {
	return optionFunc(func(c *config) error { c.fallback = false; return nil })
}

// WithoutAbort leaves what runs on a server that is declared down to its own
// deadlines. By default its connections are closed: reads are then retried
// elsewhere, units of work replayed, and a COMMIT under way is unknown.
func WithoutAbort() Option {
	return optionFunc(func(c *config) error { c.abort = false; return nil })
}

// WithOnChange has f called with each change of the view, one at a time, in order.
// It must not block and must not use the cluster.
func WithOnChange(f func(Change)) Option {
	return optionFunc(func(c *config) error { c.onChange = f; return nil })
}
