package statusz

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A histogram's buckets divide each power of two into four, so that a bucket
// is a fifth of its place wide, or less: from 2^firstOctave ns (16 µs) to
// 2^lastOctave ns (137 s), and one for what is longer.
const (
	firstOctave = 14
	lastOctave  = 37
	perOctave   = 4
	buckets     = (lastOctave-firstOctave)*perOctave + 2
)

// shards is how many parts a histogram has, so that calls of different
// goroutines seldom count at one place.
const shards = 4

// bucketOf returns the bucket of a duration. Bucket 0 is for what is shorter
// than the first octave.
func bucketOf(d time.Duration) int {
	if d < 1<<firstOctave {
		return 0
	}
	octave := bits.Len64(uint64(d)) - 1
	if octave >= lastOctave {
		return buckets - 1
	}
	quarter := int(d>>(octave-2)) & (perOctave - 1)
	return 1 + (octave-firstOctave)*perOctave + quarter
}

// upper returns the length at which a bucket ends; of the last one, where it
// begins.
func upper(bucket int) time.Duration {
	if bucket == 0 {
		return 1 << firstOctave
	}
	bucket = min(bucket, buckets-2)
	octave, quarter := firstOctave+(bucket-1)/perOctave, (bucket-1)%perOctave
	return time.Duration(1)<<octave + time.Duration(quarter+1)<<(octave-2)
}

// histogram counts durations.
type histogram struct{ shards [shards]shard }

// shard is a part of a histogram.
type shard struct {
	buckets  [buckets]atomic.Uint32
	sum      atomic.Int64 // ns
	max      atomic.Int64 // ns
	failed   atomic.Uint32
	canceled atomic.Uint32

	_ [64]byte // neighbours do not share a cache line
}

func (h *histogram) record(n int, took time.Duration, o outcome) {
	l := &h.shards[n]
	l.buckets[bucketOf(took)].Add(1)
	l.sum.Add(int64(took))
	for {
		longest := l.max.Load()
		if int64(took) <= longest || l.max.CompareAndSwap(longest, int64(took)) {
			break
		}
	}
	switch o {
	case failed:
		l.failed.Add(1)
	case canceled:
		l.canceled.Add(1)
	}
}

func (h *histogram) reset() {
	for i := range h.shards {
		l := &h.shards[i]
		for b := range l.buckets {
			l.buckets[b].Store(0)
		}
		l.sum.Store(0)
		l.max.Store(0)
		l.failed.Store(0)
		l.canceled.Store(0)
	}
}

// distribution is what histograms have counted together.
type distribution struct {
	buckets  [buckets]int64
	count    int64
	sum, max time.Duration
	failed   int64
	canceled int64
}

// add adds what h has counted.
func (d *distribution) add(h *histogram) {
	for i := range h.shards {
		l := &h.shards[i]
		for b := range l.buckets {
			n := int64(l.buckets[b].Load())
			d.buckets[b] += n
			d.count += n
		}
		d.sum += time.Duration(l.sum.Load())
		d.max = max(d.max, time.Duration(l.max.Load()))
		d.failed += int64(l.failed.Load())
		d.canceled += int64(l.canceled.Load())
	}
}

// merge adds another distribution.
func (d *distribution) merge(o *distribution) {
	for b, n := range o.buckets {
		d.buckets[b] += n
	}
	d.count += o.count
	d.sum += o.sum
	d.max = max(d.max, o.max)
	d.failed += o.failed
	d.canceled += o.canceled
}

// quantile returns the duration that a part q of what was counted does not
// exceed, rounded up to the end of its bucket, but not beyond the longest.
func (d *distribution) quantile(q float64) time.Duration {
	rank := int64(q * float64(d.count))
	for b, n := range d.buckets {
		if rank -= n; rank < 0 {
			return min(upper(b), d.max)
		}
	}
	return d.max
}

// mean returns the mean duration; 0 of none.
func (d *distribution) mean() time.Duration {
	if d.count == 0 {
		return 0
	}
	return d.sum / time.Duration(d.count)
}
