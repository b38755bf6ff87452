package limit_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

func TestNoPermitIsLostOrMadeUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 3).Draw(rt, "limit")
		queue := rapid.IntRange(0, 5).Draw(rt, "queue")
		patience := rapid.IntRange(0, 60).Draw(rt, "max wait")
		visits := rapid.SliceOfN(rapid.Custom(linktest.DrawVisit), 1, 12).Draw(rt, "visits")
		c := &linktest.Crowd{}
		var stats limit.Stats
		synctest.Test(t, func(t *testing.T) {
			l, h := newLimit(t, most, limit.WithQueue(queue), limit.WithMaxWait(linktest.Milliseconds(patience)))
			c.Handler = h
			c.Come(visits)
			stats = l.Stats()
		})
		switch {
		case c.Err() != nil:
			rt.Fatal(c.Err())
		case c.Most() > most:
			rt.Fatalf("%d were in at once, the limit is %d", c.Most(), most)
		case stats.InUse != 0 || stats.Waiting != 0:
			rt.Fatalf("in the end %+v", stats)
		}
	})
}

func TestWhoeverWaitsIsServedInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		visits := rapid.SliceOfN(rapid.Custom(linktest.DrawVisit), 2, 12).Draw(rt, "visits")
		var served []int
		synctest.Test(t, func(*testing.T) {
			l, _ := limit.New(1)
			h := sp.NewChain(l).Then(attach.Perform)
			var wg sync.WaitGroup
			for i, v := range visits {
				wg.Go(func() {
					time.Sleep(time.Duration(i)) // one after the other, and nobody is done before the last has come
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if i > 0 && v.Cancel != 0 {
						time.AfterFunc(linktest.Milliseconds(v.Cancel), cancel)
					}
					_, _ = attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
						served = append(served, i)
						time.Sleep(linktest.Milliseconds(v.Works + 1))
						return nil
					}}), h)
				})
			}
			wg.Wait()
		})
		if !slices.IsSorted(served) || served[0] != 0 {
			rt.Fatalf("served in the order %v", served)
		}
	})
}

func TestPermitsUnderRealConcurrency(t *testing.T) {
	t.Parallel()
	l, h := newLimit(t, 3, limit.WithQueue(100))
	c := &linktest.Crowd{Handler: h}
	c.Rush(t, func(int) error { return nil }, func(error) bool { return false })
	if inUse(t, l, 0, 0); c.Most() > 3 {
		t.Errorf("%d were in at once", c.Most())
	}
}
