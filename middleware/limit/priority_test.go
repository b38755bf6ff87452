package limit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

// works returns an operation that takes so long and then calls done.
func works(d time.Duration, done func()) attach.Performer {
	return &linktest.Script{Act: func(context.Context, *sp.Call) error {
		time.Sleep(d)
		done()
		return nil
	}}
}

func TestTheHigherPriorityIsServedFirst(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		_, h := newLimit(t, 1)
		finish := hold(t, h)
		var served []sp.Priority
		for _, p := range []sp.Priority{sp.PriorityLow, sp.PriorityNormal, sp.PriorityCritical, sp.PriorityHigh, sp.PriorityLow, 100, -100} {
			ctx := sp.WithPriority(t.Context(), p)
			go func() {
				_, _ = attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, works(1, func() { served = append(served, sp.MarksFrom(ctx).Priority) })), h)
			}()
			synctest.Wait()
		}
		finish()
		time.Sleep(time.Second)
		synctest.Wait()
		if got := fmt.Sprint(served); got != "[2 2 1 0 -1 -1 -1]" {
			t.Errorf("served in the order %v", got)
		}
	})
}

func TestTheLowerPriorityIsRefusedFirst(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1, limit.WithQueue(2))
		finish := hold(t, h)
		var mu sync.Mutex
		errs := map[string]error{}
		come := func(name string, p sp.Priority) {
			ctx := sp.WithPriority(t.Context(), p)
			go func() {
				_, err := attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, linktest.Returns(nil)), h)
				mu.Lock()
				defer mu.Unlock()
				errs[name] = err
			}()
			synctest.Wait()
		}
		come("low", sp.PriorityLow)
		come("second low", sp.PriorityLow)
		come("normal", sp.PriorityNormal)
		come("third low", sp.PriorityLow)
		var shed, full *limit.Error
		if !errors.As(errs["second low"], &shed) || shed.Reason != limit.Shed || !errors.Is(shed, fault.ErrRejected) || !strings.Contains(shed.Error(), "went to") {
			t.Errorf("the newest of the lowest: %v", errs["second low"])
		}
		if !errors.As(errs["third low"], &full) || full.Reason != limit.QueueFull {
			t.Errorf("one that comes to a full queue: %v", errs["third low"])
		}
		inUse(t, l, 1, 2)
		finish()
		synctest.Wait()
		if errs["low"] != nil || errs["normal"] != nil || l.Stats().Rejected != 2 {
			t.Errorf("%v, %+v", errs, l.Stats())
		}
		inUse(t, l, 0, 0)
	})
}

// tenant calls one after the other for a second of virtual time, and returns how
// many calls were served.
func tenant(ctx context.Context, h sp.Handler) int {
	n := 0
	for start := time.Now(); time.Since(start) < time.Second; {
		if _, err := attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, works(time.Millisecond, func() { n++ })), h); err != nil {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return n
}

func TestATenantThatFloodsTakesFromItsOwnShare(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		measure := func(flood int) (least int) {
			_, h := newLimit(t, 2, limit.WithQueue(40))
			var wg sync.WaitGroup
			var mu sync.Mutex
			least = 1 << 30
			for i := range 9 {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Millisecond)
					n := tenant(sp.WithShare(t.Context(), fmt.Sprint("quiet ", i)), h)
					mu.Lock()
					defer mu.Unlock()
					least = min(least, n)
				})
			}
			stop := time.Now().Add(time.Second)
			ctx := sp.WithShare(t.Context(), "floods")
			for range flood {
				wg.Go(func() {
					for time.Now().Before(stop) {
						if _, err := attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, works(time.Millisecond, func() {})), h); err != nil {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			wg.Wait()
			return least
		}
		alone, beside := measure(0), measure(60)
		if alone < 18 || float64(beside) < 0.9*float64(alone) {
			t.Errorf("a quiet tenant has %d calls served beside one that floods, %d without", beside, alone)
		}
	})
}

func TestNoPermitIsLostBetweenPriorities(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		most, queue := rapid.IntRange(1, 3).Draw(rt, "limit"), rapid.IntRange(0, 5).Draw(rt, "queue")
		visits := rapid.SliceOfN(rapid.Custom(linktest.DrawVisit), 1, 20).Draw(rt, "visits")
		c := &linktest.Crowd{}
		var stats limit.Stats
		synctest.Test(t, func(t *testing.T) {
			l, h := newLimit(t, most, limit.WithQueue(queue))
			c.Handler = h
			c.Come(visits)
			stats = l.Stats()
		})
		if c.Err() != nil || c.Most() > most || stats.InUse != 0 || stats.Waiting != 0 {
			rt.Fatalf("%v, %d at once of %d, in the end %+v", c.Err(), c.Most(), most, stats)
		}
	})
}
