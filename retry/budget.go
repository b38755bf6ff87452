package retry

import (
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/admission"
)

// Budget bounds the retries of all calls to a target together: a bucket of
// tokens per target, from which each retry takes some and to which each call
// that succeeds at once returns some. While most calls succeed, the bucket is
// full and has no effect; when a database fails, retries stop once it is empty,
// long before they multiply the load. Statements and units of work draw on the
// same bucket. Contention reported by the server costs nothing: a serialization
// failure or a deadlock is the answer of a healthy server, and the number of
// attempts bounds its retries. The same goes for the group [Failover].
//
// Create it with [NewBudget]. It is safe for concurrent use, without locks once
// a target is known, and may be shared by several [Retry] values. Targets that
// differ only in their user share a bucket.
type Budget struct {
	budgetConfig
	buckets *admission.ByTarget[bucket]
}

// NewBudget returns a budget whose buckets are full: 500 tokens each; a retry
// costs 5, after a timeout or an overload 10, and a success at the first
// attempt returns 1. An option with a value out of its range is an error.
func NewBudget(opts ...BudgetOption) (*Budget, error) {
	c := defaultBudget()
	for _, o := range opts {
		if o != nil {
			o.applyBudget(&c)
		}
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return newBudget(c), nil
}

func newBudget(c budgetConfig) *Budget {
	b := &Budget{budgetConfig: c}
	b.buckets = admission.NewByTarget(func(sessionproxy.Target) *bucket {
		k := &bucket{}
		k.tokens.Store(b.capacity)
		return k
	})
	return b
}

// Remaining returns how many tokens are left for a target, from 0 to the
// capacity. A nil target stands for calls whose target is unknown.
func (b *Budget) Remaining(t *sessionproxy.Target) int { return int(b.bucket(t).tokens.Load()) }

// succeeded gives back what a call earns that succeeded without retry.
func (b *Budget) succeeded(k *bucket) {
	if k.tokens.Load() < b.capacity {
		k.add(b.refund, b.capacity)
	}
}

// take pays for a retry after a fault with verdict v. It returns what was
// paid, and false if there is not enough left. A nil budget asks for nothing.
func (b *Budget) take(t *sessionproxy.Target, v fault.Verdict) (paid int64, ok bool) {
	if b == nil || v.Contention && v.Answered || groupOf(v) == Failover {
		return 0, true // a server that answers is no outage: attempts bound these
	}
	cost := b.cost
	if groupOf(v) == Overload || v.Class == fault.ClassAttemptTimeout || v.Class == fault.ClassStatementTimeout {
		cost = b.slowCost
	}
	return cost, b.bucket(t).take(cost)
}

// give returns what was paid for a retry that was not made.
func (b *Budget) give(t *sessionproxy.Target, paid int64) {
	if b != nil {
		b.bucket(t).add(paid, b.capacity)
	}
}

// bucket returns the bucket of a target.
func (b *Budget) bucket(t *sessionproxy.Target) *bucket {
	k := b.buckets.Of(anonymous(t))
	k.rename(t)
	return k
}

// remaining returns how many tokens are left by what telemetry tells of a
// target: the fewest, of several that it can't tell apart.
func (b *Budget) remaining() map[sessionproxy.Target]int64 {
	out := map[sessionproxy.Target]int64{}
	for key, k := range b.buckets.All() {
		target, tokens := key, k.tokens.Load()
		if t := k.target.Load(); t != nil {
			target = *t
		}
		target = target.Named()
		if least, ok := out[target]; !ok || tokens < least {
			out[target] = tokens
		}
	}
	return out
}

// named returns what telemetry tells of a target; the zero Target for nil.
func named(t *sessionproxy.Target) sessionproxy.Target {
	if t == nil {
		return sessionproxy.Target{}
	}
	return t.Named()
}

// anonymous returns the key of the target without its user; the zero Target
// for nil.
func anonymous(t *sessionproxy.Target) sessionproxy.Target {
	if t == nil {
		return sessionproxy.Target{}
	}
	return t.Key().Anonymous()
}

// bucket holds the tokens of one target.
type bucket struct {
	tokens atomic.Int64                        // from 0 to the capacity
	target atomic.Pointer[sessionproxy.Target] // as it is known
}

// rename says which target it is that has the bucket's key: a connection may
// have told what the server is.
func (k *bucket) rename(t *sessionproxy.Target) {
	if t != nil && k.target.Load() != t {
		k.target.Store(t)
	}
}

// take takes n tokens, or none if there are fewer.
func (k *bucket) take(n int64) bool {
	for {
		have := k.tokens.Load()
		if have < n {
			return false
		}
		if k.tokens.CompareAndSwap(have, have-n) {
			return true
		}
	}
}

// add puts in n tokens, as far as there is room.
func (k *bucket) add(n, capacity int64) {
	for {
		have := k.tokens.Load()
		if have >= capacity || k.tokens.CompareAndSwap(have, min(have+n, capacity)) {
			return
		}
	}
}
