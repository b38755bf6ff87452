package breaker

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sessionproxy/sessionproxy"
)

// registry holds the circuits by target, by its [sessionproxy.Target.Key].
// Equal targets share one; the role that connects is part of the target, as
// refused logins and limits on connections are a role's own.
type registry struct {
	limit  int
	create func(sessionproxy.Target) *circuit

	mu       sync.RWMutex
	circuits map[sessionproxy.Target]*circuit
}

// keyOf returns the key of a target; the zero Target for nil.
func keyOf(t *sessionproxy.Target) sessionproxy.Target {
	if t == nil {
		return sessionproxy.Target{}
	}
	return t.Key()
}

// find returns t's circuit, or nil if there is none.
func (r *registry) find(t *sessionproxy.Target) *circuit {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.circuits[keyOf(t)]
}

// get returns t's circuit, and makes it if there is none.
func (r *registry) get(t *sessionproxy.Target) *circuit {
	if c := r.find(t); c != nil {
		c.rename(t)
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := keyOf(t)
	if c := r.circuits[key]; c != nil {
		return c
	}
	if len(r.circuits) >= r.limit {
		r.evict()
	}
	if r.circuits == nil {
		r.circuits = make(map[sessionproxy.Target]*circuit)
	}
	c := r.create(key)
	c.rename(t)
	r.circuits[key] = c
	return c
}

// all returns the circuits in no order.
func (r *registry) all() []*circuit {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.circuits))
}

// evict drops the circuit that will be missed least: a closed one before one
// that keeps calls away, that before one that was forced, and among equals the
// one that was idle longest. The caller holds mu.
func (r *registry) evict() {
	victim := slices.MinFunc(slices.Collect(maps.Values(r.circuits)), func(a, b *circuit) int {
		pa, pb := a.phase.Load(), b.phase.Load()
		return cmp.Or(cmp.Compare(pa.worth(), pb.worth()), cmp.Compare(pa.used(), pb.used()))
	})
	victim.evicted.Store(true)
	delete(r.circuits, victim.key)
}

// worth ranks phases by what is lost with them.
func (p *phase) worth() int {
	switch p.state {
	case StateClosed:
		return 0
	case StateHalfOpen, StateOpen:
		return 1
	}
	return 2
}

// used returns when the phase was of use last, as far as it can tell.
func (p *phase) used() time.Duration {
	if p.window != nil {
		return p.window.lastUsed()
	}
	return p.until
}

// compareNames orders circuits by target.
func compareNames(a, b *circuit) int {
	return cmp.Or(cmp.Compare(a.identity().name, b.identity().name), cmp.Compare(a.key.User, b.key.User))
}
