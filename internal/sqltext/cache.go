package sqltext

import (
	"sync"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/internal/memory"
)

// Bounds of a [Cache] for which none is given.
const (
	defaultEntries = 1024
	defaultBytes   = 1 << 20
	longestText    = 16 << 10
)

// Cache keeps what was found out about texts, within bounds. It is safe for
// concurrent use.
//
// A program sends the same few hundred texts all day, and now and then a flood
// of texts that come once, with values written into them. So the cache has two
// parts. Reading looks into a map that is never changed, without a lock or an
// allocation. A new text goes into a small map behind a mutex first, and only
// if it is asked for again is it taken over, when the first map is made anew:
// a flood of texts that come once stays in the small map. Entries that were
// not asked for between two makings give way when there is no room.
//
// In front of both stands a small table by the address of the text: most texts
// are constants of the program, and comparing an address is several times
// faster than hashing a text. So the bytes of a text must never change, as Go
// has it: one made by package unsafe over a buffer that is used again would be
// taken for the text that was there first. The table holds 64 entries, which may outlive their
// place in the maps.
type Cache[V any] struct {
	entries, bytes int

	seen [fronts]atomic.Pointer[entry[V]]
	hot  atomic.Pointer[map[key]*entry[V]]

	mu     sync.Mutex
	fresh  map[key]*entry[V]
	size   int // bytes of the texts in fresh
	wanted int // how many of fresh were asked for again
}

type key struct {
	dialect Dialect
	text    string
}

// fronts is how many texts are found by their address; a power of two.
const fronts = 64

// front returns the place of a text's address. Constants lie side by side, so
// neighbours get different places.
func front(text string) uintptr {
	p := memory.TextAddress(text)
	return (p>>3 ^ p>>9) % fronts
}

// same reports whether two texts are one: the same bytes at the same address.
// An entry keeps its text alive, so that no other can take the address.
func same(a, b string) bool {
	return memory.SameText(a, b)
}

type entry[V any] struct {
	key   key
	value V
	used  atomic.Bool // asked for since hot was made
}

// NewCache returns a cache of at most so many entries and bytes of text. A
// bound of 0 or less stands for 1024 entries and 1 MiB. Texts of more than
// 16 KiB are not kept.
func NewCache[V any](entries, bytes int) *Cache[V] {
	c := &Cache[V]{entries: entries, bytes: bytes, fresh: map[key]*entry[V]{}}
	if entries <= 0 {
		c.entries = defaultEntries
	}
	if bytes <= 0 {
		c.bytes = defaultBytes
	}
	c.hot.Store(&map[key]*entry[V]{})
	return c
}

// Get returns what is known of a text.
func (c *Cache[V]) Get(d Dialect, text string) (V, bool) {
	place := &c.seen[front(text)]
	e := place.Load()
	if e == nil || !same(e.key.text, text) || e.key.dialect != d {
		if e = (*c.hot.Load())[key{d, text}]; e == nil {
			return c.getFresh(key{d, text})
		}
		if same(e.key.text, text) {
			place.Store(e)
		}
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e.value, true
}

func (c *Cache[V]) getFresh(k key) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.fresh[k]
	if !ok {
		return v, false
	}
	if !e.used.Load() {
		e.used.Store(true)
		c.wanted++
	}
	// Made anew for each doubling, the map costs little per text.
	if c.wanted > len(*c.hot.Load())/4 {
		c.renew()
	}
	return e.value, true
}

// Put keeps what was found out about a text. A text that is known keeps what
// it has.
func (c *Cache[V]) Put(d Dialect, text string, v V) {
	if len(text) > min(longestText, c.bytes) {
		return
	}
	k := key{d, text}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := (*c.hot.Load())[k]; ok || c.fresh[k] != nil {
		return
	}
	// A quarter of the room is for newcomers.
	if len(c.fresh) >= max(c.entries/4, 1) || c.size+len(text) > max(c.bytes/4, longestText) {
		if c.wanted > 0 {
			c.renew()
		}
		clear(c.fresh)
		c.size = 0
	}
	c.fresh[k] = &entry[V]{key: k, value: v}
	c.size += len(text)
}

// renew makes the hot map anew: of newcomers that were asked for again, then
// of what was asked for, then of the rest, as far as there is room.
func (c *Cache[V]) renew() {
	old := *c.hot.Load()
	next := make(map[key]*entry[V], len(old)+c.wanted)
	room, bytes := c.entries-c.entries/4, c.bytes-c.bytes/4
	take := func(from map[key]*entry[V], used bool) {
		for k, e := range from {
			if e.used.Load() == used && len(next) < room && len(k.text) <= bytes {
				next[k] = e
				bytes -= len(k.text)
			}
		}
	}
	take(c.fresh, true)
	take(old, true)
	take(old, false)
	for _, e := range next {
		e.used.Store(false)
	}
	for k, e := range c.fresh {
		if _, ok := next[k]; ok || e.used.Load() {
			delete(c.fresh, k)
			c.size -= len(k.text)
		}
	}
	c.wanted = 0
	c.hot.Store(&next)
}

// Len returns how many texts are kept.
func (c *Cache[V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(*c.hot.Load()) + len(c.fresh)
}
