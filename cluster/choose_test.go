package cluster

import (
	"testing"
	"time"
)

// Two idle nodes of several are chosen alike, each as often as the others, and of
// two the one with less to do.
func TestOfTwoByChanceTheLighter(t *testing.T) {
	t.Parallel()
	c := settled(t, 5)
	readers := c.view.Load().readers
	const n = 40000
	counts := map[string]int{}
	for range n {
		counts[lighter(readers, 0).Name]++
	}
	for name, got := range counts {
		if len(counts) != 4 || got < n/4-n/40 || got > n/4+n/40 {
			t.Errorf("%s was chosen %d times of %d", name, got, n)
		}
	}
	readers[0].active.Store(1)
	for range 1000 {
		if got := lighter(readers, 1<<2|1<<3); got != readers[1] {
			t.Fatalf("%s was chosen, which has more to do", got.Name)
		}
	}
	c.learn(readers[1], Status{}, errRefused, 0, time.Now())
	for range 100 {
		if got := lighter(c.view.Load().readers, 1<<1|1<<2); got != readers[0] {
			t.Fatalf("%s was chosen, and not the last one left", got.Name)
		}
	}
}
