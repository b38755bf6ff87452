package adaptivelimit

import "time"

// Point is what a limit was like for some seconds; see [Stats.Course].
type Point struct {
	// At is when it began.
	At time.Time
	// Limit is how many calls could run at once, at the end.
	Limit int
	// InUse is the highest number of permits that were taken at once.
	InUse int
	// Latency is how long calls took, on average: statements until their first
	// answer, transactions until their end. 0 if none tells.
	Latency time.Duration
}

// course is the limit over the last minutes. It is written when something is
// decided, under the lock of its target.
type course struct {
	points [points]point
}

type point struct {
	number int64 // of the interval, plus one; 0: none
	limit  int
	inUse  int
	calls  int64
	took   time.Duration // all of them
}

// The course has so many points of so long.
const (
	points   = 60
	interval = 5 * time.Second
)

// add takes in a window that has ended.
func (c *course) add(now time.Duration, limit, inUse int, calls int64, took time.Duration) {
	number := int64(now/interval) + 1
	p := &c.points[number%points]
	if p.number != number {
		*p = point{number: number}
	}
	p.limit, p.inUse = limit, max(p.inUse, inUse)
	p.calls += calls
	p.took += took
}

// list returns the points up to now, the oldest first. Intervals in which nothing
// was decided are left out.
func (c *course) list(start time.Time, now time.Duration) (all []Point) {
	last := int64(now/interval) + 1
	for n := max(last-points+1, 1); n <= last; n++ {
		p := &c.points[n%points]
		if p.number != n {
			continue
		}
		all = append(all, Point{At: start.Add(time.Duration(n-1) * interval), Limit: p.limit, InUse: p.inUse, Latency: p.latency()})
	}
	return all
}

func (p *point) latency() time.Duration {
	if p.calls == 0 {
		return 0
	}
	return p.took / time.Duration(p.calls)
}

// latest returns the latency of the latest point.
func (c *course) latest(now time.Duration) time.Duration {
	last := int64(now/interval) + 1
	for n := last; n > max(last-points, 0); n-- {
		if p := &c.points[n%points]; p.number == n && p.calls > 0 {
			return p.latency()
		}
	}
	return 0
}
