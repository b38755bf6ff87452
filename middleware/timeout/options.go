package timeout

import (
	"errors"
	"fmt"
	"math"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/latency"
)

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

// limits are the time limits by operation; 0 means none.
type limits [math.MaxUint8 + 1]time.Duration

type config struct {
	limits limits
	learn  learning
}

// defaultConfig limits every operation that does I/O to d, except those
// that clean up.
func defaultConfig(d time.Duration) config {
	var c config
	for i := range c.limits {
		if op := sp.Op(i); known(op) && !op.Local() && !op.Cleanup() {
			c.limits[i] = d
		}
	}
	return c
}

// known reports whether op is in the catalogue of operations.
func known(op sp.Op) bool { return op.String() != sp.OpUnknown.String() }

// WithFor sets the limit for some operations, in place of the common one. 0
// means none. By default the common limit applies to all operations except
// rolling back and closing, of connections and sessions alike, which have none.
// Operations without I/O can't be limited.
//
//	timeout.New(2*time.Second,
//		timeout.WithFor(30*time.Second, sessionproxy.OpTransaction),
//		timeout.WithFor(0, sessionproxy.OpCopy))
func WithFor(limit time.Duration, ops ...sp.Op) Option {
	return optionFunc(func(c *config) error {
		if limit < 0 {
			return fmt.Errorf("timeout: WithFor(%v): want 0 or more", limit)
		}
		if len(ops) == 0 {
			return errors.New("timeout: WithFor: want at least one operation")
		}
		for _, op := range ops {
			if !known(op) || op.Local() {
				return fmt.Errorf("timeout: WithFor(%v, %v): want an operation that does I/O", limit, op)
			}
			c.limits[op] = limit
		}
		return nil
	})
}

// WithPercentile makes the limit of statements (exec and query) follow their
// own latency: it is a multiple, from 1 to 1000, of the time within which the
// given fraction of the calls with the same SQL text, from 0.5 to 0.99, had
// their first answer, over about the last thousand. It is never below least, 0
// or more, nor above the limit set by [New] or [WithFor], which applies while
// too few calls are known (60 for 0.95, 300 for 0.99), and to SQL text used
// only once. So a stalled attempt at a statement of a millisecond need not wait
// as long as a report may take.
//
// Successes count, and so do calls ended by the limit: if a statement becomes
// slower for good, the limit follows. The default is a fixed limit.
//
//	timeout.New(5*time.Second, timeout.WithPercentile(0.99, 10, 100*time.Millisecond))
func WithPercentile(percentile, multiple float64, least time.Duration) Option {
	return optionFunc(func(c *config) error {
		if !(percentile >= 0.5 && percentile <= 0.99) || !(multiple >= 1 && multiple <= 1000) || least < 0 {
			return fmt.Errorf("timeout: WithPercentile(%v, %v, %v): want a percentile from 0.5 to 0.99, a multiple from 1 to 1000, and 0 or more",
				percentile, multiple, least)
		}
		c.learn = learning{percentile: percentile, multiple: multiple, least: least, known: latency.NewStatements()}
		return nil
	})
}
