package adaptivelimit

import (
	"sync/atomic"
	"time"
)

// window counts calls without a lock, until there are enough for a decision. A
// late writer may still add to one that is over, where it does no harm.
type window struct {
	since    time.Duration // only calls that began later count
	level    float64       // the middle of the one before
	heldUp   int64         // of the permits, when it began
	limit    int           // when it began
	enough   int           // calls that end it
	draining bool          // it counts nothing: more calls are at work than the limit says
	probing  bool          // as few calls are at work, or are to be, as a probe wants
	n        atomic.Int32  // ratios
	faults   atomic.Int32
	busiest  atomic.Int32
	took     atomic.Int64 // what the calls took that n counts, in nanoseconds

	_      [64]byte // each call writes to n and to one of these
	ratios [buckets]atomic.Int32
}

// The bounds of a window.
const (
	shortest     = 100 * time.Millisecond
	longest      = time.Second
	probeLongest = 2 * time.Second
	enough       = 160 // calls of a window
	fewest       = 10  // calls of a window that lasted longest
)

// A histogram of binary logarithms, from a sixteenth to sixteen times.
const (
	perDoubling = 16
	doublings   = 4
	buckets     = 2 * doublings * perDoubling
)

// count takes in the ratio of a call that began then, and what it took.
func (w *window) count(ratio float64, began, took time.Duration) {
	if !w.draining && began >= w.since {
		w.ratios[bucketOf(ratio)].Add(1)
		w.n.Add(1)
		w.took.Add(int64(took))
	}
}

// crowded notes how many permits are in use.
func (w *window) crowded(inUse int) {
	if n := int32(inUse); n > w.busiest.Load() { //nolint:gosec // no process has two billion calls
		w.busiest.Store(n)
	}
}

// over reports whether there is something to decide.
func (w *window) over(now time.Duration, inUse int) bool {
	age := now - w.since
	if w.draining {
		return inUse <= w.limit || age > longest
	}
	if w.probing && age > probeLongest {
		return true
	}
	if age < shortest {
		return false
	}
	n := int(w.n.Load() + w.faults.Load())
	return n >= max(w.enough, 2*w.limit) || age >= longest && n >= fewest
}

// summary returns what was counted.
func (w *window) summary(now time.Duration, heldUp int64) summary {
	return summary{
		now: now, n: int(w.n.Load()), middle: w.middle(), faults: int(w.faults.Load()),
		busiest: int(w.busiest.Load()), heldUp: heldUp > w.heldUp,
	}
}

// middle returns the mean of the ratios in the middle: of all but the lowest and the
// highest quarter. It tells as much of 100 calls as the median of 150, and a quarter
// of them may be slow for reasons of their own. 0 of none.
func (w *window) middle() float64 {
	var counts [buckets]float64
	n := 0.0
	for i := range counts {
		counts[i] = float64(w.ratios[i].Load())
		n += counts[i]
	}
	if n == 0 {
		return 0
	}
	sum, below := 0.0, 0.0
	for i, c := range counts {
		within := max(0, min(below+c, 0.75*n)-max(below, 0.25*n))
		sum += within * ((float64(i)+0.5)/perDoubling - doublings)
		below += c
	}
	return sum / (0.5 * n)
}

func bucketOf(ratio float64) int {
	return min(max(int((ratio+doublings)*perDoubling), 0), buckets-1)
}
