// Package latency knows how long statements take, each of its own kind.
package latency

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Histogram is how long the calls of one statement took: a histogram of the
// last thousand or so, each half of which counts half as much as the next. It
// is safe for concurrent use. The zero value is empty.
type Histogram struct {
	known atomic.Int64 // the percentile, in nanoseconds; 0 while too few are known

	mu     sync.Mutex
	total  int
	counts [(longestPower - shortestPower + 1) * perPower]uint16
}

// The histogram has perPower buckets per power of two nanoseconds, from a
// microsecond to half an hour: a percentile comes out a quarter too long at most.
const (
	perPower      = 4
	shortestPower = 10
	longestPower  = 40
)

const (
	window    = 1024 // counts are halved when there are so many
	betweenOf = 16   // the percentile is found again after so many
)

// Percentile returns the percentile that [Histogram.Observe] was asked for; 0
// while too few calls are known.
func (l *Histogram) Percentile() time.Duration { return time.Duration(l.known.Load()) }

// Observe counts a call that took d. The percentile, from 0.5 to 0.99, is the
// same each time.
func (l *Histogram) Observe(d time.Duration, percentile float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[bucketOf(d)]++
	l.total++
	if l.total == window {
		l.halve()
	}
	if l.total >= enough(percentile) && l.total%betweenOf == 0 {
		l.known.Store(int64(l.at(percentile)))
	}
}

// enough returns how many calls tell a percentile: three have to be above.
func enough(percentile float64) int { return int(math.Ceil(3 / (1 - percentile))) }

// halve makes room for what comes.
func (l *Histogram) halve() {
	l.total = 0
	for i := range l.counts {
		l.counts[i] /= 2
		l.total += int(l.counts[i])
	}
}

// at returns the time within which that part of the calls was through.
func (l *Histogram) at(percentile float64) time.Duration {
	rank := int(math.Ceil(percentile * float64(l.total)))
	for i, n := range l.counts {
		if rank -= int(n); rank <= 0 {
			return boundOf(i)
		}
	}
	return boundOf(len(l.counts) - 1)
}

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 1<<shortestPower))
	power := bits.Len64(n) - 1
	if power > longestPower {
		return (longestPower-shortestPower+1)*perPower - 1
	}
	within := n >> (power - 2) & (perPower - 1)
	return (power-shortestPower)*perPower + int(within)
}

// boundOf returns the longest duration of a bucket.
func boundOf(i int) time.Duration {
	power, within := shortestPower+i/perPower, i%perPower
	return time.Duration((perPower+within+1)<<(power-2)) - 1
}
