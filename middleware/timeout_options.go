package middleware

import (
	"errors"
	"fmt"
	"math"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// TimeoutOption configures [Timeout].
type TimeoutOption interface {
	applyTimeout(c *timeoutConfig) error
}

type timeoutOptionFunc func(*timeoutConfig) error

func (f timeoutOptionFunc) applyTimeout(c *timeoutConfig) error { return f(c) }

// limits are the time limits by operation; 0 means none.
type limits [math.MaxUint8 + 1]time.Duration

type timeoutConfig struct{ limits limits }

// defaultTimeoutConfig limits every operation that does I/O to d, except those
// that clean up.
func defaultTimeoutConfig(d time.Duration) timeoutConfig {
	var c timeoutConfig
	for i := range c.limits {
		if op := sp.Op(i); known(op) && !op.Local() {
			c.limits[i] = d
		}
	}
	for _, op := range []sp.Op{
		sp.OpRollback, sp.OpClose,
		sp.OpSessionRollback, sp.OpSessionClose, sp.OpSessionReset, sp.OpSessionInvalidate,
	} {
		c.limits[op] = 0
	}
	return c
}

// known reports whether op is in the catalogue of operations.
func known(op sp.Op) bool { return op.String() != sp.OpUnknown.String() }

// WithTimeoutFor sets the limit of some operations, in place of the common
// one. 0 means that there is none. The default is the common limit for all but
// rollbacks and closing, of a connection as of a session, which have none.
// Operations without I/O can't be limited.
//
//	middleware.Timeout(2*time.Second,
//		middleware.WithTimeoutFor(30*time.Second, sessionproxy.OpTransaction),
//		middleware.WithTimeoutFor(0, sessionproxy.OpCopy))
func WithTimeoutFor(limit time.Duration, ops ...sp.Op) TimeoutOption {
	return timeoutOptionFunc(func(c *timeoutConfig) error {
		if limit < 0 {
			return fmt.Errorf("middleware: WithTimeoutFor(%v): want 0 or more", limit)
		}
		if len(ops) == 0 {
			return errors.New("middleware: WithTimeoutFor: want at least one operation")
		}
		for _, op := range ops {
			if !known(op) || op.Local() {
				return fmt.Errorf("middleware: WithTimeoutFor(%v, %v): want an operation that does I/O", limit, op)
			}
			c.limits[op] = limit
		}
		return nil
	})
}
