package admission

import (
	"iter"
	"maps"
	"sync"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
)

// MaxTargets bounds what a [ByTarget] keeps. Targets beyond share one value.
const MaxTargets = 1000

// ByTarget keeps a value per target. Once a target is known it is found without
// a lock. It is made by [NewByTarget] and safe for concurrent use.
type ByTarget[T any] struct {
	create   func(sp.Target) *T
	overflow *T
	known    atomic.Pointer[map[sp.Target]*T] // replaced as a whole
	mu       sync.Mutex                       // held while known is replaced
}

// NewByTarget returns an empty one. create makes a target's value; that of the
// zero Target is shared by those past [MaxTargets].
func NewByTarget[T any](create func(sp.Target) *T) *ByTarget[T] {
	b := &ByTarget[T]{create: create, overflow: create(sp.Target{})}
	b.known.Store(&map[sp.Target]*T{})
	return b
}

// Get returns the value of the target's [sp.Target.Key]; that of the zero Target
// for nil.
func (b *ByTarget[T]) Get(t *sp.Target) *T {
	var key sp.Target
	if t != nil {
		key = t.Key()
	}
	return b.Of(key)
}

// Of returns the value of a key, and makes it if there is none.
func (b *ByTarget[T]) Of(key sp.Target) *T {
	if v, ok := (*b.known.Load())[key]; ok {
		return v
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := *b.known.Load()
	if v, ok := old[key]; ok {
		return v
	}
	if len(old) >= MaxTargets {
		return b.overflow
	}
	next := maps.Clone(old)
	next[key] = b.create(key)
	b.known.Store(&next)
	return next[key]
}

// All returns the known keys and their values, in no order.
func (b *ByTarget[T]) All() iter.Seq2[sp.Target, *T] { return maps.All(*b.known.Load()) }
