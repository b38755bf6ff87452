package sqltext_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"pgregory.net/rapid"
)

func TestCacheKeepsWhatIsAskedForThroughAFlood(t *testing.T) {
	t.Parallel()
	c := sqltext.NewCache[int](1024, 1<<20)
	hot := func(i int) string { return fmt.Sprintf("SELECT %d", i) }
	for length, floods := range map[int]int{10: 10_000, 2000: 3_000, 15_000: 1_000} { // the bound is that of entries, or of bytes
		filler := strings.Repeat("x", length)
		for i := range 100 {
			c.Put(sqltext.Generic, hot(i), i)
			c.Get(sqltext.Generic, hot(i))
		}
		for i := range floods {
			c.Put(sqltext.Generic, fmt.Sprintf("INSERT INTO t VALUES (%d, %d, '%s')", length, i, filler), -1)
			if v, ok := c.Get(sqltext.Generic, hot(i%100)); !ok || v != i%100 {
				t.Fatalf("after %d texts that came once, %q gives %d, %t", i, hot(i%100), v, ok)
			}
		}
	}
	if _, ok := c.Get(sqltext.MySQL, hot(1)); ok {
		t.Error("a text of another dialect was found")
	}
}

func TestCacheStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.IntRange(4, 64).Draw(t, "entries")
		c := sqltext.NewCache[int](entries, 0)
		want := map[string]int{}
		for i := range rapid.IntRange(1, 400).Draw(t, "steps") {
			text := strings.Repeat("x", rapid.IntRange(0, 100).Draw(t, "text"))
			if rapid.Bool().Draw(t, "put") {
				c.Put(sqltext.Generic, text, len(text))
				want[text] = len(text)
			} else if v, ok := c.Get(sqltext.Generic, text); ok && v != want[text] {
				t.Fatalf("%q gives %d, want %d", text, v, want[text])
			}
			if n := c.Len(); n > entries {
				t.Fatalf("%d entries after %d steps, want at most %d", n, i, entries)
			}
		}
	})
}

// TestCacheLearnsOtherTexts: what was found often gives way when it is not sent
// any more.
func TestCacheLearnsOtherTexts(t *testing.T) {
	t.Parallel()
	c := sqltext.NewCache[int](64, 0)
	text := func(generation, i int) string { return fmt.Sprintf("SELECT %d FROM t%d", i, generation) }
	for generation := range 4 {
		for range 400 {
			for i := range 40 {
				if _, ok := c.Get(sqltext.Generic, text(generation, i)); !ok {
					c.Put(sqltext.Generic, text(generation, i), i)
				}
			}
		}
		known := 0
		for i := range 40 {
			if _, ok := c.Get(sqltext.Generic, text(generation, i)); ok {
				known++
			}
		}
		if known < 25 { // sets are not filled evenly
			t.Errorf("%d of 40 texts are known after the program's texts changed %d times", known, generation)
		}
	}
}

// TestCacheBoundsItsBytes: a service that writes values into its texts.
func TestCacheBoundsItsBytes(t *testing.T) {
	t.Parallel()
	for _, length := range []int{1, 300, 10_000} {
		c := sqltext.NewCache[int](0, 0)
		filler := strings.Repeat("x", length)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 5_000 {
					c.Put(sqltext.Generic, fmt.Sprintf("INSERT %d %d %s", g, i, filler), i)
				}
			})
		}
		wg.Wait()
		if n := c.Len(); n > 4096 || n*length > 1<<20 || n < min(2000, 1<<20/length/2) {
			t.Errorf("%d texts of %d bytes are kept", n, length)
		}
	}
}

func TestCacheLeavesLongTextsOut(t *testing.T) {
	t.Parallel()
	c := sqltext.NewCache[int](0, 0)
	long := strings.Repeat("x", 17<<10)
	c.Put(sqltext.Generic, long, 1)
	if _, ok := c.Get(sqltext.Generic, long); ok {
		t.Error("a text of 17 KiB was kept")
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := sqltext.NewCache[int](32, 0)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				text := fmt.Sprint((i*(g+1))%97, "x")
				if v, ok := c.Get(sqltext.Generic, text); ok && v != len(text) {
					t.Errorf("%q gives %d", text, v)
				}
				c.Put(sqltext.Generic, text, len(text))
			}
		})
	}
	wg.Wait()
}

func TestReadingAllocatesNothing(t *testing.T) {
	c := sqltext.NewCache[*int](0, 0)
	const text = "SELECT id, name FROM users WHERE id = $1 AND name = $2"
	c.Put(sqltext.PostgreSQL, text, new(int))
	if n := alloctest.PerRun(100, func() { c.Get(sqltext.PostgreSQL, text) }); n != 0 {
		t.Errorf("a hit makes %v allocations", n)
	}
	if n := alloctest.PerRun(100, func() {
		l := sqltext.NewLexer(sqltext.PostgreSQL, text)
		for {
			if _, ok := l.Next(); !ok {
				return
			}
		}
	}); n != 0 {
		t.Errorf("the lexer makes %v allocations", n)
	}
	if n := alloctest.PerRun(100, func() { sqltext.Sanitize(sqltext.PostgreSQL, text) }); n != 0 {
		t.Errorf("sanitising a text without literals makes %v allocations", n)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	c := sqltext.NewCache[*int](0, 0)
	const text = "SELECT id, name FROM users WHERE id = $1 AND name = $2 -- 60"
	c.Put(sqltext.PostgreSQL, text, new(int))
	c.Get(sqltext.PostgreSQL, text)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Get(sqltext.PostgreSQL, text)
		}
	})
}

// BenchmarkCacheMiss: a text that is not known, and its place in the cache.
func BenchmarkCacheMiss(b *testing.B) {
	for _, n := range []int{3_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := sqltext.NewCache[*int](0, 0)
			texts := make([]string, n)
			for i := range texts {
				texts[i] = fmt.Sprintf("SELECT id, name FROM users WHERE id = %d AND name = 'somebody' -- 60", i)
			}
			v := new(int)
			var missed atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(n); pb.Next(); i++ {
					text := texts[i%n]
					if _, ok := c.Get(sqltext.PostgreSQL, text); !ok {
						c.Put(sqltext.PostgreSQL, text, v)
						missed.Add(1)
					}
				}
			})
			b.ReportMetric(100*float64(missed.Load())/float64(b.N), "%missed")
		})
	}
}

func BenchmarkAnalyse(b *testing.B) {
	const text = "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.state = 'open' AND o.id IN (1, 2, 3)"
	b.ReportAllocs()
	for b.Loop() {
		sqltext.Analyse(sqltext.PostgreSQL, text)
	}
}
