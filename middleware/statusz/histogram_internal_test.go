package statusz

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEveryDurationIsInItsBucket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(200*time.Second)).Draw(t, "d"))
		b := bucketOf(d)
		if b < 0 || b >= buckets {
			t.Fatalf("%v: bucket %d", d, b)
		}
		if b < buckets-1 && d >= upper(b) {
			t.Errorf("%v is past the end of its bucket, %v", d, upper(b))
		}
		if b > 0 && d < upper(b-1) {
			t.Errorf("%v is in the bucket before, which ends at %v", d, upper(b-1))
		}
	})
}

func TestBucketsAreNarrow(t *testing.T) {
	t.Parallel()
	for b := 1; b < buckets-1; b++ {
		from, to := upper(b-1), upper(b)
		if width := float64(to-from) / float64(from); width <= 0 || width > 0.25 {
			t.Errorf("bucket %d from %v to %v: %.2f of its beginning", b, from, to, width)
		}
	}
}

// TestQuantiles compares with sorting: a quantile is at most a bucket too long,
// never too short.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(3, 4))
	var h histogram
	var all []time.Duration
	for i := range 10000 {
		d := time.Duration(1 + chance.Int64N(int64(time.Second)))
		all = append(all, d)
		h.record(i%shards, d, outcome(i%3))
	}
	slices.Sort(all)
	var d distribution
	d.add(&h)
	if d.count != 10000 || d.failed != 3333 || d.canceled != 3333 || d.max != all[9999] {
		t.Errorf("%d counted, %d failed, %d canceled, longest %v", d.count, d.failed, d.canceled, d.max)
	}
	for _, q := range []float64{0, 0.5, 0.95, 0.99, 0.9999} {
		exact, got := all[int(q*10000)], d.quantile(q)
		if got < exact || float64(got) > 1.25*float64(exact)+float64(upper(0)) {
			t.Errorf("quantile %v: %v, want %v", q, got, exact)
		}
	}
	h.reset()
	d = distribution{}
	if d.add(&h); d != (distribution{}) || d.quantile(0.5) != 0 || d.mean() != 0 {
		t.Errorf("after a reset: %+v", d)
	}
}

func TestSpansReadWell(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0", 0: "0", 17: "17 ns", 1500: "1.50 µs", 99_950: "99.9 µs", 812 * time.Microsecond: "812 µs",
		12_340 * time.Microsecond: "12.3 ms", 999_999 * time.Microsecond: "999 ms", 1240 * time.Millisecond: "1.24 s",
		59_990 * time.Millisecond: "59.9 s", 65 * time.Second: "1 min 05 s", 3*time.Hour + 7*time.Minute: "3 h 07 min",
		100 * time.Hour: "4 d 4 h",
	} {
		if got := span(d).String(); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
	if b, err := span(1500 * time.Millisecond).MarshalJSON(); string(b) != "1.5" || err != nil {
		t.Errorf("JSON: %s, %v", b, err)
	}
}

func TestNumbersReadWell(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1\u2009000", 1234567: "1\u2009234\u2009567", -1000: "-1\u2009000", -100: "-100"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		part, whole int64
		want        string
	}{{0, 0, "0 %"}, {0, 5, "0 %"}, {1, 10000, "< 0.1 %"}, {1, 100, "1.0 %"}, {1, 2, "50 %"}, {7, 7, "100 %"}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.part, c.whole, got, c.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "< 0.1", 90: "1.5", 600: "10", 60000: "1\u2009000"} {
		if got := rate(n, span(time.Minute)); got != want {
			t.Errorf("%d a minute: %q, want %q", n, got, want)
		}
	}
}
