package statusz

import (
	"errors"
	"fmt"
	"iter"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// sources are asked when the page is shown.
type sources struct {
	circuits []func(yield func(Circuit) bool)
	budgets  []budget
	limits   []func() Limit
	adaptive []func(yield func(AdaptiveLimit))
	pools    []pool
}

type budget struct {
	remaining func(*sp.Target) int
	capacity  int
}

type pool struct {
	name  string
	stats func() sp.PoolStats
}

// Circuit is the state of a circuit breaker at one moment.
type Circuit struct {
	// Target is the database. Its user is not shown.
	Target sp.Target
	// State is the state's name: "closed", "half_open", "open", or another.
	State string
	// Since is when the state was reached; the zero time if that is not known.
	Since time.Time
	// RetryAfter is the time until an open circuit lets calls through to see
	// whether the server is back; 0 if there is none.
	RetryAfter time.Duration
	// Cause is the class of the failure that last opened the circuit.
	Cause fault.Class
	// Requests is the number of calls counted in the breaker's window.
	Requests int64
	// Failures is how many of them failed.
	Failures int64
}

// WithBreakers shows the circuits that states returns whenever the page is
// rendered, each as described by describe. For a breaker of package breaker:
//
//	statusz.WithBreakers(brk.States, func(s breaker.Status) statusz.Circuit {
//		return statusz.Circuit{
//			Target: s.Target, State: s.State.String(), Since: s.Since, RetryAfter: s.RetryAfter,
//			Cause: s.Cause, Requests: s.Counts.Requests(), Failures: s.Counts.Failures,
//		}
//	})
//
// Without it, the page shows only the state changes reported by calls. Both
// functions have to be quick and safe for concurrent use. The option may be
// given several times.
func WithBreakers[S any](states func() iter.Seq[S], describe func(S) Circuit) Option {
	return optionFunc(func(c *config) error {
		if states == nil || describe == nil {
			return errors.New("statusz: WithBreakers: want two functions")
		}
		c.circuits = append(c.circuits, func(yield func(Circuit) bool) {
			for s := range states() {
				if !yield(describe(s)) {
					return
				}
			}
		})
		return nil
	})
}

// WithBudget shows how many tokens of a retry budget are left for each database
// that the page has seen calls to, out of capacity, which has to be above 0.
// For a budget of package retry:
//
//	statusz.WithBudget(budget.Remaining, 500)
//
// Remaining has to be quick and safe for concurrent use. The option may be given
// several times.
func WithBudget(remaining func(*sp.Target) int, capacity int) Option {
	return optionFunc(func(c *config) error {
		switch {
		case remaining == nil:
			return errors.New("statusz: WithBudget(nil): want a function")
		case capacity <= 0:
			return fmt.Errorf("statusz: WithBudget(…, %d): want more than 0", capacity)
		}
		c.budgets = append(c.budgets, budget{remaining, capacity})
		return nil
	})
}

// Limit is the state of a limit on concurrent calls at one moment.
type Limit struct {
	// Name distinguishes the limit from others; it may be empty.
	Name string
	// Limit is how many calls may run at once.
	Limit int
	// InUse is how many are running.
	InUse int
	// Queue is how many calls may wait.
	Queue int
	// Waiting is how many are waiting.
	Waiting int
	// Rejected is how many calls have been refused so far.
	Rejected int64
	// Passed is how many calls have passed without a permit so far.
	Passed int64
}

// WithLimit shows a limit. For one of package limit:
//
//	statusz.WithLimit(func() statusz.Limit { return statusz.Limit(limit.Stats()) })
//
// Stats has to be quick and safe for concurrent use. The option may be given
// several times.
func WithLimit(stats func() Limit) Option {
	return optionFunc(func(c *config) error {
		if stats == nil {
			return errors.New("statusz: WithLimit(nil): want a function")
		}
		c.limits = append(c.limits, stats)
		return nil
	})
}

// WithPool shows a pool of connections under a name, which must not be empty:
//
//	statusz.WithPool("orders", pool.PoolStats)                                             // driver/pgxdb
//	statusz.WithPool("orders", func() sessionproxy.PoolStats { return sqldb.PoolStats(db) }) // database/sql
//
// Stats has to be quick and safe for concurrent use. The option may be given
// several times.
func WithPool(name string, stats func() sp.PoolStats) Option {
	return optionFunc(func(c *config) error {
		switch {
		case name == "":
			return errors.New(`statusz: WithPool(""): want a name`)
		case stats == nil:
			return fmt.Errorf("statusz: WithPool(%q, nil): want a function", name)
		}
		c.pools = append(c.pools, pool{name, stats})
		return nil
	})
}
