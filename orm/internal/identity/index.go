package identity

import (
	"hash/maphash"
	"iter"
	"math/bits"

	"github.com/sessionproxy/sessionproxy/internal/memory"
)

// index finds the states of objects: by where the object is, or by its key. It
// is a hash table of nothing but pointers, since a state knows both: a map of Go
// takes three times the memory, and twice the time to fill.
//
// It probes linearly, is at most three quarters full, and takes a state out by
// moving up those behind it.
type index struct {
	slots     []*State // a power of two, or none
	n         int
	byAddress bool
}

var seed = maphash.MakeSeed()

// addressOf is where an object is, as a key.
func addressOf(obj memory.Pointer) Key { return Key{n: int64(uintptr(obj))} }

func (x *index) keyOf(st *State) Key {
	if x.byAddress {
		return addressOf(st.Object)
	}
	return st.Key
}

// slot returns where a search for a key begins: the upper bits of a product,
// which the lower bits of the key reach.
func (x *index) slot(k Key) int {
	h := uint64(k.n) * 0x9E3779B97F4A7C15
	if k.s != "" {
		h ^= maphash.String(seed, k.s)
	}
	return int(h >> (64 - bits.Len(uint(len(x.slots)-1))))
}

// find returns where a key is, or where it would be.
func (x *index) find(k Key) int {
	i := x.slot(k)
	for st := x.slots[i]; st != nil && x.keyOf(st) != k; st = x.slots[i] {
		i = (i + 1) & (len(x.slots) - 1)
	}
	return i
}

// get returns the state of a key, or nil.
func (x *index) get(k Key) *State {
	if x == nil || x.n == 0 {
		return nil
	}
	return x.slots[x.find(k)]
}

// put makes a state the one of its key.
func (x *index) put(st *State) {
	if 4*(x.n+1) > 3*len(x.slots) {
		x.grow(2 * len(x.slots))
	}
	i := x.find(x.keyOf(st))
	if x.slots[i] == nil {
		x.n++
	}
	x.slots[i] = st
}

// room makes room for n more states.
func (x *index) room(n int) {
	if need := (x.n + n) * 4 / 3; need > len(x.slots) {
		x.grow(1 << bits.Len(uint(need)))
	}
}

func (x *index) grow(size int) {
	old := x.slots
	x.slots = make([]*State, max(8, size))
	for _, st := range old {
		if st != nil {
			x.slots[x.find(x.keyOf(st))] = st
		}
	}
}

// all returns the states in no order.
func (x *index) all() iter.Seq[*State] {
	return func(yield func(*State) bool) {
		if x == nil {
			return
		}
		for _, st := range x.slots {
			if st != nil && !yield(st) {
				return
			}
		}
	}
}

// remove takes a state out, unless its key has another one.
func (x *index) remove(st *State) {
	if x == nil || x.n == 0 {
		return
	}
	i := x.find(x.keyOf(st))
	if x.slots[i] != st {
		return
	}
	x.n--
	x.slots[i] = nil
	mask := len(x.slots) - 1
	for j := (i + 1) & mask; x.slots[j] != nil; j = (j + 1) & mask {
		// What is at j may move to i if its search passes i on the way to j.
		if home := x.slot(x.keyOf(x.slots[j])); (j-home)&mask >= (j-i)&mask {
			x.slots[i], x.slots[j] = x.slots[j], nil
			i = j
		}
	}
}
