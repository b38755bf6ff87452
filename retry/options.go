package retry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/sessionproxy/sessionproxy/fault"
)

// Option configures a [Retry].
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// VerifyFunc reports whether the unit of work that ctx belongs to was
// committed, after its COMMIT got no answer.
type VerifyFunc func(ctx context.Context) (committed bool, err error)

// ClassifyFunc returns the verdict to use for an error whose verdict is v; see
// [WithClassifier].
type ClassifyFunc func(err error, v fault.Verdict) fault.Verdict

type config struct {
	attempts      int
	curves        [groups]curve
	budget        *Budget // nil without one
	lockTimeouts  bool
	classifier    ClassifyFunc
	verifyCommit  VerifyFunc
	verifyTimeout time.Duration
	jitter        func(ceiling time.Duration) time.Duration
	provider      metric.MeterProvider
	err           error // of the first option with a bad value
}

func defaultConfig() config {
	return config{
		attempts: 3,
		curves: [groups]curve{
			Contention: {10 * time.Millisecond, time.Second},
			Connection: {100 * time.Millisecond, 5 * time.Second},
			Overload:   {500 * time.Millisecond, 10 * time.Second},
			Failover:   {250 * time.Millisecond, time.Second},
		},
		budget:        newBudget(defaultBudget()),
		verifyTimeout: 5 * time.Second,
		jitter:        func(ceiling time.Duration) time.Duration { return rand.N(ceiling + 1) },
	}
}

// reject keeps the first option that was given a bad value.
func (c *config) reject(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("retry: "+format, args...)
	}
}

const (
	// maxAttempts keeps a retry from becoming a way to poll.
	maxAttempts = 100
	// looks is how many retries of a call may find that a host has yet to be promoted.
	// Their pauses last 1.9 to 3.8 s by default.
	looks = 5
)

// WithAttempts sets how many attempts a call gets in total, from 1, which
// disables retries, to 100. The default is 3. Unless retries are disabled, up to
// five attempts that end with a fault of the group [Failover] are not counted.
func WithAttempts(n int) Option {
	return optionFunc(func(c *config) {
		if n < 1 || n > maxAttempts {
			c.reject("WithAttempts(%d): want 1 to %d", n, maxAttempts)
			return
		}
		c.attempts = n
	})
}

// WithBackoff sets the pause before a retry for one group of faults. The pause
// before the n-th retry is drawn from zero to base doubled n-1 times, at most
// limit; with [Failover] it is no less than half of that. A base of 0 means no
// pause; limit is at least base. The defaults are 10 ms and 1 s for [Contention],
// 100 ms and 5 s for [Connection], 500 ms and 10 s for [Overload], 250 ms and 1 s
// for [Failover].
func WithBackoff(g Group, base, limit time.Duration) Option {
	return optionFunc(func(c *config) {
		if g >= groups || base < 0 || limit < base {
			c.reject("WithBackoff(%v, %v, %v): want a group of this package, a base from 0 and a limit from base", g, base, limit)
			return
		}
		c.curves[g] = curve{base, limit}
	})
}

// WithJitter sets the function that draws a pause: it gets the longest one
// allowed and returns one from zero to it; a value outside is clamped. It has
// to be safe for concurrent use. The default draws uniformly, which best
// spreads callers that failed together.
func WithJitter(draw func(ceiling time.Duration) time.Duration) Option {
	return optionFunc(func(c *config) {
		if draw == nil {
			c.reject("WithJitter(nil): want a function")
			return
		}
		c.jitter = draw
	})
}

// WithBudget sets the budget, which several Retry values may share. By default
// each Retry has its own, as returned by [NewBudget].
func WithBudget(b *Budget) Option {
	return optionFunc(func(c *config) {
		if b == nil {
			c.reject("WithBudget(nil): want a budget; WithoutBudget has none")
			return
		}
		c.budget = b
	})
}

// WithoutBudget removes the bound on the retries of all calls together. With n
// attempts a failing database then gets up to n times its usual load.
func WithoutBudget() Option {
	return optionFunc(func(c *config) { c.budget = nil })
}

// WithClassifier sets a function that is called for every failed attempt. It
// returns the verdict it was given, changed or not. Of the result, Retry, Slow
// and Contention are used: the function may forbid a retry or impose stricter
// conditions. Where the verdict allows no retry, the function can get one only
// for these:
//
//   - a statement timeout of the server (57014; 3024 and 1969 of MySQL and
//     MariaDB), for calls marked idempotent;
//   - a unique or exclusion constraint violated inside a unit of work (23505,
//     23P01), which under SERIALIZABLE can be a conflict in disguise;
//   - an object in use (55006);
//   - an I/O error of the server (58030), for calls marked idempotent.
//
// The function has to be safe for concurrent use.
func WithClassifier(classify ClassifyFunc) Option {
	return optionFunc(func(c *config) {
		if classify == nil {
			c.reject("WithClassifier(nil): want a function")
			return
		}
		c.classifier = classify
	})
}

// WithLockTimeouts retries calls whose wait for a lock reached its limit.
// Without it such limits are obeyed: one set explicitly, by NOWAIT or
// lock_timeout (55P03 of PostgreSQL, 3572 of MySQL), ends both statements and
// units of work; a default of the server or the driver
// (innodb_lock_wait_timeout, 1205; busy_timeout, SQLITE_BUSY) ends statements
// only. With n attempts a call may take n times its limit.
func WithLockTimeouts() Option {
	return optionFunc(func(c *config) { c.lockTimeouts = true })
}

// WithVerifyCommit sets the verifier of units of work that have none of their
// own; see [sessionproxy.WithVerifyCommit]. It has to tell from ctx which unit
// it is asked about, and to be safe for concurrent use.
func WithVerifyCommit(verify VerifyFunc) Option {
	return optionFunc(func(c *config) {
		if verify == nil {
			c.reject("WithVerifyCommit(nil): want a function")
			return
		}
		c.verifyCommit = verify
	})
}

// WithVerifyTimeout sets the minimum time for a verifier, even if the caller's
// context has less left or has ended; above 0, and 5 s by default. If the
// caller has more time, so does the verifier.
func WithVerifyTimeout(d time.Duration) Option {
	return optionFunc(func(c *config) {
		if d <= 0 {
			c.reject("WithVerifyTimeout(%v): want more than 0", d)
			return
		}
		c.verifyTimeout = d
	})
}

// WithMeterProvider turns metrics on, which are off by default:
// sessionproxy.retry.attempts, sessionproxy.retry.exhausted and
// sessionproxy.retry.budget.remaining. The last is observed for as long as the
// provider lives; each Retry that shares a budget reports the same value.
func WithMeterProvider(p metric.MeterProvider) Option {
	return optionFunc(func(c *config) {
		if p == nil {
			c.reject("WithMeterProvider(nil): want a provider")
			return
		}
		c.provider = p
	})
}
