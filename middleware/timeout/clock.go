package timeout

import (
	"sync/atomic"
	"time"
)

// clock tells whether a deadline is near, if possible without reading the time:
// that it was late enough once is known for good.
type clock struct {
	base time.Time
	seen atomic.Int64 // a time that has passed, in nanoseconds after base
}

// seenEvery is how old the time seen gets before it is written again.
const seenEvery = time.Millisecond

// within reports whether deadline is at most limit from now.
func (c *clock) within(deadline time.Time, limit time.Duration) bool {
	//nolint:staticcheck // Equal does not look at what is asked here: whether it has a monotonic reading
	if deadline == deadline.Round(0) { // by the wall clock, which may be set back, or that of a test
		return time.Until(deadline) <= limit
	}
	enough := deadline.Sub(c.base) - limit
	seen := time.Duration(c.seen.Load())
	if enough <= seen {
		return true
	}
	now := time.Since(c.base)
	if now-seen >= seenEvery {
		c.seen.Store(int64(now))
	}
	return enough <= now
}
