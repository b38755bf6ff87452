package latency

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBucketsHoldWhatTheirBoundsSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1<<42).Draw(rt, "d"))
		i := bucketOf(d)
		if i < 0 || i >= len(Histogram{}.counts) {
			rt.Fatalf("%v is in bucket %d", d, i)
		}
		if i < len(Histogram{}.counts)-1 && d > boundOf(i) || i > 0 && d <= boundOf(i-1) {
			rt.Fatalf("%v is in bucket %d, from %v to %v", d, i, boundOf(max(i-1, 0)), boundOf(i))
		}
	})
	for i := 1; i < len(Histogram{}.counts); i++ {
		if ratio := float64(boundOf(i)) / float64(boundOf(i-1)); ratio <= 1 || ratio > 1.26 {
			t.Errorf("bucket %d is %v times the one before", i, ratio)
		}
	}
}

// TestPercentiles compares with sorting.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		percentile := rapid.Float64Range(0.5, 0.99).Draw(rt, "percentile")
		took := rapid.SliceOfN(rapid.Int64Range(2000, 1e9), enough(percentile), window-1).Draw(rt, "took")
		l := new(Histogram)
		for _, d := range took {
			l.Observe(time.Duration(d), percentile)
		}
		slices.Sort(took)
		want := time.Duration(took[int(math.Ceil(percentile*float64(len(took))))-1])
		if got := l.at(percentile); got < want || float64(got) > 1.26*float64(want) {
			rt.Fatalf("%v, want %v or up to a quarter more", got, want)
		}
	})
}

func TestOldLatenciesAreForgotten(t *testing.T) {
	t.Parallel()
	l := new(Histogram)
	for range 10 * window {
		l.Observe(time.Second, 0.95)
	}
	if l.total >= window {
		t.Errorf("%d Histogram are kept", l.total)
	}
	for range 10 * window {
		l.Observe(time.Millisecond, 0.95)
	}
	if d := time.Duration(l.known.Load()); d > 2*time.Millisecond {
		t.Errorf("after ten thousand calls of a millisecond the delay is %v", d)
	}
}
