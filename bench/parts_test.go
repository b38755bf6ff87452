package bench

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/time/rate"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	ours "github.com/sessionproxy/sessionproxy/internal/latency"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
)

// What the library has of its own, beside the libraries that do the same: the
// tables in docs/design.md are of these benchmarks and tests.

// BenchmarkRateLimit is a call that need not wait, from one goroutine and from
// several. The chain that does nothing is what the other chains have in common.
func BenchmarkRateLimit(b *testing.B) {
	const perSecond, burst = 1e9, 1 << 20
	limiter, err := ratelimit.New(perSecond, burst)
	if err != nil {
		b.Fatal(err)
	}
	theirs := rate.NewLimiter(perSecond, burst)
	for _, s := range []struct {
		name string
		link sp.Interceptor
	}{
		{"no limit", sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })},
		{"middleware⁄ratelimit", limiter},
		{"x⁄time⁄rate", sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				if call.IsEntry() {
					if err := theirs.Wait(ctx); err != nil {
						return err
					}
				}
				return next(ctx, call)
			}
		})},
	} {
		h := sp.NewChain(s.link).Then(attach.Perform)
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			performed(b, h, b.Loop)
		})
		b.Run(s.name+", parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) { performed(b, h, pb.Next) })
		})
	}
}

// nothing is an operation that succeeds at once.
type nothing struct{}

// Do implements [attach.Performer].
func (nothing) Do(context.Context, *sp.Call) error { return nil }

// performed makes calls of one statement for as long as there are more.
func performed(b *testing.B, h sp.Handler, more func() bool) {
	ctx, call := context.Background(), new(sp.Call)
	for more() {
		attach.Reset(call, nothing{})
		call.Op, call.Scope = sp.OpExec, sp.ScopePool
		if _, err := attach.Run(ctx, call, h); err != nil {
			b.Error(err)
		}
	}
}

// percentiles is what keeps a percentile of how long the last calls of a statement
// took: it is asked for one after every sixteenth.
type percentiles interface{ observe(d time.Duration) }

// asked is the percentile.
const asked = 0.95

// percentileSubjects are what is compared. Each forgets what is older than a thousand calls or so.
var percentileSubjects = []struct {
	name string
	make func() percentiles
}{
	{"internal⁄latency", func() percentiles { return new(ourPercentiles) }},
	{"HdrHistogram, 1 digit", func() percentiles { return newHdr(1) }},
	{"HdrHistogram, 2 digits", func() percentiles { return newHdr(2) }},
	{"ddsketch, 10 %", func() percentiles { return newSketch(0.1) }},
	{"ddsketch, 1 %", func() percentiles { return newSketch(0.01) }},
}

type ourPercentiles struct{ h ours.Histogram }

func (p *ourPercentiles) observe(d time.Duration) { p.h.Observe(d, asked) }
func (p *ourPercentiles) last() time.Duration     { return p.h.Percentile() }

// hdrPercentiles has two windows, of which the older is thrown away.
type hdrPercentiles struct {
	mu    sync.Mutex
	h     *hdr.WindowedHistogram
	n     int
	known time.Duration
}

func newHdr(digits int) *hdrPercentiles {
	return &hdrPercentiles{h: hdr.NewWindowed(2, 1000, int64(30*time.Minute), digits)}
}

func (p *hdrPercentiles) observe(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.h.Current.RecordValue(int64(min(max(d, 1000), 30*time.Minute)))
	if p.n++; p.n%512 == 0 {
		p.h.Rotate()
	}
	if p.n%16 == 0 {
		p.known = time.Duration(p.h.Merge().ValueAtQuantile(100 * asked))
	}
}

func (p *hdrPercentiles) last() time.Duration { return p.known }

// sketchPercentiles halves what it has counted.
type sketchPercentiles struct {
	mu    sync.Mutex
	s     *ddsketch.DDSketch
	n     int
	known time.Duration
}

func newSketch(accuracy float64) *sketchPercentiles {
	s, err := ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, 2048)
	if err != nil {
		panic(err)
	}
	return &sketchPercentiles{s: s}
}

func (p *sketchPercentiles) observe(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.s.Add(float64(d))
	if p.n++; p.n%1024 == 0 {
		_ = p.s.Reweight(0.5)
	}
	if p.n%16 == 0 {
		v, _ := p.s.GetValueAtQuantile(asked)
		p.known = time.Duration(v)
	}
}

func (p *sketchPercentiles) last() time.Duration { return p.known }

// durations are like those of a database: most around a millisecond, some far above.
func durations(n int, seed uint64) []time.Duration {
	r := rand.New(rand.NewPCG(seed, seed))
	out := make([]time.Duration, n)
	for i := range out {
		out[i] = time.Duration(float64(time.Millisecond) * math.Exp(r.NormFloat64()))
		if r.IntN(50) == 0 {
			out[i] *= 20
		}
	}
	return out
}

func BenchmarkPercentiles(b *testing.B) {
	took := durations(1<<12, 1)
	for _, s := range percentileSubjects {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			p, i := s.make(), 0
			for b.Loop() {
				p.observe(took[i&(len(took)-1)])
				i++
			}
		})
		b.Run(s.name+", parallel", func(b *testing.B) {
			b.ReportAllocs()
			p := s.make()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					p.observe(took[i&(len(took)-1)])
				}
			})
		})
	}
}

// TestPercentilesOfLibraries compares the percentile that each tells with that of the
// calls it still knows, and what each keeps: run it with -v to see the figures.
func TestPercentilesOfLibraries(t *testing.T) {
	t.Parallel()
	for _, s := range percentileSubjects {
		var worst, sum float64
		const rounds = 200
		for seed := range uint64(rounds) {
			took := durations(496, seed) // fewer than any of them forgets
			p := s.make()
			for _, d := range took {
				p.observe(d)
			}
			slices.Sort(took)
			exact := took[int(math.Ceil(asked*float64(len(took))))-1]
			got := p.(interface{ last() time.Duration }).last()
			off := math.Abs(float64(got)/float64(exact) - 1)
			sum, worst = sum+off, max(worst, off)
		}
		kept := bytesOf(func() any { return used(s.make()) })
		t.Logf("| %s | %.1f %% | %.1f %% | %d |", s.name, 100*sum/rounds, 100*worst, kept)
		if s.name == "internal⁄latency" && worst > 0.26 {
			t.Errorf("off by %.2f", worst)
		}
	}
}

func used(p percentiles) percentiles {
	for _, d := range durations(2048, 3) {
		p.observe(d)
	}
	return p
}

// bytesOf returns how many bytes a value keeps, of many of them.
func bytesOf(one func() any) uint64 {
	const n = 128
	kept := [n]any{}
	var before, after runtime.MemStats
	runtime.GC() // twice, for what pools keep
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i] = one()
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return (after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)) / n
}
