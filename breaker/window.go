package breaker

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// window counts outcomes over the last periods. Counting takes no lock but
// once a period; it is spread over stripes so that cores don't contend for one
// cache line.
type window struct {
	period time.Duration
	mask   uint32 // number of stripes, a power of two, less one

	current atomic.Pointer[bucket]
	streak  atomic.Int64 // failures since the last success, whenever they were
	silent  atomic.Int64 // when the first call since the server's last answer was given up; 0: none was

	mu   sync.Mutex
	ring []*bucket // guarded by mu
}

// bucket holds the counts of one period. A late writer may still add to one
// that has left the window, where it does no harm.
type bucket struct {
	number  int64 // of the period
	end     time.Duration
	stripes []stripe
}

// stripe is one part of a bucket's counts, as long as a cache line.
type stripe struct {
	successes, failures, excluded, slow atomic.Int64
	_                                   [32]byte
}

// newWindow returns an empty window of n periods. stripes is a power of two.
func newWindow(n int, period time.Duration, stripes int, now time.Duration) *window {
	w := &window{period: period, mask: uint32(stripes - 1), ring: make([]*bucket, n)}
	w.turn(now)
	return w
}

// stripe returns the place to count an outcome at the time now.
func (w *window) stripe(now time.Duration) *stripe {
	b := w.current.Load()
	if now >= b.end {
		b = w.turn(now)
	}
	return &b.stripes[rand.Uint32()&w.mask]
}

// succeeded counts a success at the time now.
func (w *window) succeeded(now time.Duration) {
	w.stripe(now).successes.Add(1)
	if w.streak.Load() != 0 {
		w.streak.Store(0)
	}
	w.heard()
}

// add counts one outcome at the time now.
func (w *window) add(v verdict, now time.Duration) {
	s := w.stripe(now)
	switch v.outcome {
	case succeeded:
		s.successes.Add(1)
		if w.streak.Load() != 0 {
			w.streak.Store(0)
		}
		w.heard()
	case failed:
		s.failures.Add(1)
		w.streak.Add(1)
	default:
		s.excluded.Add(1)
	}
	if v.slow {
		s.slow.Add(1)
	}
}

// heard notes that the server has answered.
func (w *window) heard() {
	if w.silent.Load() != 0 {
		w.silent.Store(0)
	}
}

// turn begins the period that now is in, unless that has been done.
func (w *window) turn(now time.Duration) *bucket {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b := w.current.Load(); b != nil && now < b.end {
		return b
	}
	number := int64(now / w.period)
	b := &bucket{
		number:  number,
		end:     time.Duration(number+1) * w.period,
		stripes: make([]stripe, w.mask+1),
	}
	w.ring[number%int64(len(w.ring))] = b
	w.current.Store(b)
	return b
}

// counts returns the sums over the periods that end with the one now is in.
func (w *window) counts(now time.Duration) Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest := int64(now/w.period) - int64(len(w.ring)) + 1
	var sum Counts
	for _, b := range w.ring {
		if b == nil || b.number < oldest {
			continue
		}
		for i := range b.stripes {
			s := &b.stripes[i]
			sum.Successes += s.successes.Load()
			sum.Failures += s.failures.Load()
			sum.Excluded += s.excluded.Load()
			sum.Slow += s.slow.Load()
		}
	}
	sum.ConsecutiveFailures = w.streak.Load()
	return sum
}

// lastUsed returns the time at which the latest period that counted something
// began.
func (w *window) lastUsed() time.Duration { return w.current.Load().end - w.period }
