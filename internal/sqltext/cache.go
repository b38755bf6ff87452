package sqltext

import (
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy/internal/memory"
)

// Bounds of a [Cache] for which none is given.
const (
	defaultEntries = 4096
	defaultBytes   = 1 << 20
	longestText    = 16 << 10
)

// Cache keeps what was found out about texts, within bounds. It is safe for
// concurrent use; nobody waits for anybody.
//
// A program sends the same few hundred texts all day, and now and then a flood
// of texts that come once, with values written into them. So a text is kept in one of
// the places of its set, and each time it is found, up to three times, that is noted. A
// new text takes the place of one that was never found again, which in a flood is the
// one that came before it, or is not kept. Every eighth new text ages its full
// set, so that texts that are not sent any more give way in the end.
//
// In front of the sets stands a small table by the address of the text: most texts
// are constants of the program, and comparing an address is several times
// faster than hashing a text. So the bytes of a text must never change, as Go
// has it: one made by package unsafe over a buffer that is used again would be
// taken for the text that was there first. The table holds 256 entries, which may outlive their
// place in the sets.
//
// What calls write that others read: finding a text writes nothing once it was
// found three times, unless two constants share a place in front; then one in
// sixteen calls writes that place. A text that is not found writes its set and the count of
// bytes.
type Cache[V any] struct {
	entries, bytes int64
	seed           maphash.Seed

	seen [fronts]atomic.Pointer[entry[V]]
	sets []atomic.Pointer[set[V]] // their number is a power of two; nil: empty

	size atomic.Int64  // bytes of the texts in sets
	hand atomic.Uint32 // the set that makes room next
}

const (
	// fronts is how many texts are found by their address; a power of two.
	fronts = 256
	// ways is how many places a set has.
	ways = 8
	// agedBy is how many new texts age their set by one, if it is full.
	agedBy = 8
	// found is how often it is noted that a text was found.
	found = 3
	// sweep is how many sets a new text may look at to make room for its bytes.
	sweep = 16
)

// set holds the texts whose hashes end alike.
type set[V any] struct {
	ways    [ways]atomic.Pointer[entry[V]]
	busy    atomic.Bool // somebody puts a text into it
	crowded uint32      // new texts that came when it was full; of whoever is busy
}

// front returns the place of a text's address. Constants lie side by side, so
// neighbours get different places.
func front(text string) uintptr {
	p := memory.TextAddress(text)
	return (p>>3 ^ p>>11) % fronts
}

// same reports whether two texts are one: the same bytes at the same address.
// An entry keeps its text alive, so that no other can take the address.
func same(a, b string) bool {
	return memory.SameText(a, b)
}

type entry[V any] struct {
	text    string
	hash    uint64
	dialect Dialect
	value   V
	used    atomic.Uint32 // how often it was found, up to found
}

func (e *entry[V]) note() {
	if n := e.used.Load(); n < found {
		e.used.Store(n + 1)
	}
}

// NewCache returns a cache of at most so many entries and bytes of text. A
// bound of 0 or less stands for 4096 entries and 1 MiB. Texts of more than
// 16 KiB are not kept.
func NewCache[V any](entries, bytes int) *Cache[V] {
	if entries <= 0 {
		entries = defaultEntries
	}
	if bytes <= 0 {
		bytes = defaultBytes
	}
	sets := 1
	for sets*2*ways <= entries {
		sets *= 2
	}
	return &Cache[V]{
		entries: int64(entries), bytes: int64(bytes), seed: maphash.MakeSeed(),
		sets: make([]atomic.Pointer[set[V]], sets),
	}
}

func (c *Cache[V]) hash(d Dialect, text string) uint64 {
	return maphash.String(c.seed, text) + uint64(d)*0x9e3779b97f4a7c15
}

// Get returns what is known of a text.
func (c *Cache[V]) Get(d Dialect, text string) (v V, ok bool) {
	place := &c.seen[front(text)]
	first := place.Load()
	if first != nil && same(first.text, text) && first.dialect == d {
		first.note()
		return first.value, true
	}
	hash := c.hash(d, text)
	e := c.sets[hash&uint64(len(c.sets)-1)].Load().find(hash, d, text)
	if e == nil {
		return v, false
	}
	if same(e.text, text) && (first == nil || rand.Uint32()%16 == 0) {
		place.Store(e)
	}
	e.note()
	return e.value, true
}

// find returns the entry of a text, or nil.
func (s *set[V]) find(hash uint64, d Dialect, text string) *entry[V] {
	if s == nil {
		return nil
	}
	for i := range s.ways {
		if e := s.ways[i].Load(); e != nil && e.hash == hash && e.dialect == d && e.text == text {
			return e
		}
	}
	return nil
}

// Put keeps what was found out about a text, unless there is no room or somebody
// else keeps a text in the same set at this moment. A text that is known keeps
// what it has.
func (c *Cache[V]) Put(d Dialect, text string, v V) {
	if len(text) > int(min(longestText, c.bytes)) {
		return
	}
	hash := c.hash(d, text)
	s := c.set(hash)
	if !s.busy.CompareAndSwap(false, true) {
		return
	}
	defer s.busy.Store(false)
	if s.find(hash, d, text) != nil {
		return
	}
	place := s.room(int(min(c.entries, ways)))
	if place == nil {
		return
	}
	more := int64(len(text))
	if old := place.Load(); old != nil {
		more -= int64(len(old.text))
	}
	if c.size.Add(more) > c.bytes && !c.makeRoom(s) {
		c.size.Add(-more)
		return
	}
	place.Store(&entry[V]{text: text, hash: hash, dialect: d, value: v})
}

// set returns the set of a hash.
func (c *Cache[V]) set(hash uint64) *set[V] {
	place := &c.sets[hash&uint64(len(c.sets)-1)]
	if s := place.Load(); s != nil {
		return s
	}
	place.CompareAndSwap(nil, new(set[V]))
	return place.Load()
}

// room returns a place that is empty, or, in turn, one whose text was not found
// again; or nil. The caller is who is busy with the set.
func (s *set[V]) room(ways int) *atomic.Pointer[entry[V]] {
	for i := range s.ways[:ways] {
		if s.ways[i].Load() == nil {
			return &s.ways[i]
		}
	}
	if s.crowded++; s.crowded%agedBy == 0 {
		s.age()
	}
	for i := range ways {
		place := &s.ways[(int(s.crowded)+i)%ways]
		if place.Load().used.Load() == 0 {
			return place
		}
	}
	return nil
}

// age forgets one finding of each text.
func (s *set[V]) age() {
	for i := range s.ways {
		if e := s.ways[i].Load(); e != nil {
			if n := e.used.Load(); n > 0 {
				e.used.Store(n - 1)
			}
		}
	}
}

// drop drops the texts that were not found again and returns their bytes.
func (s *set[V]) drop() (freed int64) {
	for i := range s.ways {
		if e := s.ways[i].Load(); e != nil && e.used.Load() == 0 {
			s.ways[i].Store(nil)
			freed += int64(len(e.text))
		}
	}
	return freed
}

// makeRoom drops texts that were not found again of some sets in turn, and ages the
// sets that have none, until the bytes are within their bound. It reports whether they are.
func (c *Cache[V]) makeRoom(mine *set[V]) bool {
	for range sweep {
		s := c.sets[int(c.hand.Add(1))%len(c.sets)].Load()
		if s == nil || s == mine || !s.busy.CompareAndSwap(false, true) {
			continue
		}
		if freed := s.drop(); freed > 0 {
			c.size.Add(-freed)
		} else {
			s.age()
		}
		s.busy.Store(false)
		if c.size.Load() <= c.bytes {
			return true
		}
	}
	return c.size.Load() <= c.bytes
}

// Len returns how many texts are kept.
func (c *Cache[V]) Len() (n int) {
	for i := range c.sets {
		s := c.sets[i].Load()
		if s == nil {
			continue
		}
		for k := range s.ways {
			if s.ways[k].Load() != nil {
				n++
			}
		}
	}
	return n
}
