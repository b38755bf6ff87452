package scan

import (
	"hash/maphash"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
)

// maxPlans is how many plans of one type are kept. A program that reads a type
// by more lists of columns than that makes them at run time, one by one, and
// keeping them would keep memory for nothing.
const maxPlans = 256

// kept holds the plans of each type that was asked for: reflect.Type to
// *plansOfType. As with the caches of encoding/json, there are as many entries
// as the program has types.
var kept sync.Map

// plansOfType are the plans of one type. They are read without a lock.
type plansOfType struct {
	mu    sync.Mutex
	plans atomic.Pointer[map[uint64]keptPlan]
}

// keptPlan is a plan with the columns and options it was made for. Of two lists of
// columns with the same hash, the later replaces the earlier.
type keptPlan struct {
	config config
	plan   *plan
}

var seed = maphash.MakeSeed()

// planFor returns the cached plan, making it if there is none.
func planFor(t reflect.Type, columns []string, c config) (*plan, error) {
	known, ok := kept.Load(t)
	if !ok {
		known, _ = kept.LoadOrStore(t, new(plansOfType))
	}
	of := known.(*plansOfType)
	key := hash(columns, c)
	if plans := of.plans.Load(); plans != nil {
		if k, ok := (*plans)[key]; ok && k.config == c && slices.Equal(k.plan.columns, columns) {
			return k.plan, nil
		}
	}
	p, err := makePlan(t, columns, c)
	if err != nil {
		return nil, err
	}
	of.keep(key, keptPlan{c, p})
	return p, nil
}

// keep adds a plan. If there are too many, all others are dropped: those in use
// are soon made again.
func (o *plansOfType) keep(key uint64, k keptPlan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := map[uint64]keptPlan{key: k}
	if old := o.plans.Load(); old != nil && len(*old) < maxPlans {
		for other, plan := range *old {
			if other != key {
				next[other] = plan
			}
		}
	}
	o.plans.Store(&next)
}

func hash(columns []string, c config) uint64 {
	h := uint64(len(columns)) << 2
	if c.unknown {
		h |= 1
	}
	if c.convert {
		h |= 2
	}
	for _, column := range columns {
		h = h*0x9e3779b97f4a7c15 ^ maphash.String(seed, column)
	}
	return h
}
