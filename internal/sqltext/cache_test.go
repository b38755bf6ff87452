package sqltext_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"pgregory.net/rapid"
)

func TestCacheKeepsWhatIsAskedForThroughAFlood(t *testing.T) {
	t.Parallel()
	c := sqltext.NewCache[int](64, 1<<20)
	hot := func(i int) string { return fmt.Sprintf("SELECT %d", i) }
	for i := range 20 {
		c.Put(sqltext.Generic, hot(i), i)
		c.Get(sqltext.Generic, hot(i))
	}
	for i := range 10_000 {
		c.Put(sqltext.Generic, fmt.Sprintf("INSERT INTO t VALUES (%d)", i), -1)
		if v, ok := c.Get(sqltext.Generic, hot(i%20)); !ok || v != i%20 {
			t.Fatalf("after %d texts that came once, %q gives %d, %t", i, hot(i%20), v, ok)
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

func BenchmarkAnalyse(b *testing.B) {
	const text = "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.state = 'open' AND o.id IN (1, 2, 3)"
	b.ReportAllocs()
	for b.Loop() {
		sqltext.Analyse(sqltext.PostgreSQL, text)
	}
}
