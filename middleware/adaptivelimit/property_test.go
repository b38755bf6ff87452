package adaptivelimit_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
)

// TestNoPermitIsLostOrMadeUp has calls come that end in every way: in the end
// nothing is held and nobody waits, and there were never more in than the upper
// bound allows.
func TestNoPermitIsLostOrMadeUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(rt, "max")
		opts := []adaptivelimit.Option{
			adaptivelimit.WithMax(most), adaptivelimit.WithInitial(rapid.IntRange(1, 4).Draw(rt, "initial")),
			adaptivelimit.WithQueue(rapid.IntRange(0, 5).Draw(rt, "queue")),
			adaptivelimit.WithMaxWait(linktest.Milliseconds(rapid.IntRange(0, 60).Draw(rt, "max wait"))),
			adaptivelimit.WithQueueTime(linktest.Milliseconds(rapid.IntRange(0, 5).Draw(rt, "target")), 10*time.Millisecond),
		}
		if rapid.Bool().Draw(rt, "newest first") {
			opts = append(opts, adaptivelimit.WithNewestFirst())
		}
		all := rapid.SliceOfN(rapid.Custom(linktest.DrawVisit), 1, 12).Draw(rt, "visits")
		c := &linktest.Crowd{}
		var stats adaptivelimit.Stats
		synctest.Test(t, func(t *testing.T) {
			l := must(t, opts...)
			c.Handler = sp.NewChain(l).Then(attach.Perform)
			c.Come(all)
			stats = l.Stats()[0]
		})
		switch {
		case c.Err() != nil:
			rt.Fatal(c.Err())
		case c.Most() > most:
			rt.Fatalf("%d were in at once, at most %d may be", c.Most(), most)
		case stats.InUse != 0 || stats.Waiting != 0:
			rt.Fatalf("in the end %+v", stats)
		}
	})
}

// TestPermitsUnderRealConcurrency has the limit move while calls come and go on
// several threads.
func TestPermitsUnderRealConcurrency(t *testing.T) {
	t.Parallel()
	l, h := newLimit(t, adaptivelimit.WithMax(3))
	c := &linktest.Crowd{Handler: h}
	c.Rush(t, func(n int) error {
		if n%9 == 0 {
			return fault.ErrPoolTimeout // an overload: the limit shrinks
		}
		return nil
	}, func(err error) bool { return errors.Is(err, fault.ErrPoolTimeout) || errors.Is(err, fault.ErrRejected) })
	if s := l.Stats()[0]; s.InUse != 0 || s.Waiting != 0 || c.Most() > 3 {
		t.Errorf("%+v; %d were in at once", s, c.Most())
	}
}

// TestCallsInALoopOverRowsGoOn has as many callers as there are permits keep rows
// open and send a statement for each: the queue would stand still for ever.
func TestCallsInALoopOverRowsGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, h := newLimit(t, adaptivelimit.WithInitial(2), adaptivelimit.WithMax(4))
		began := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				outer := linktest.NewCall(t.Context(), sp.OpQuery, linktest.Opens())
				if open, err := attach.Run(t.Context(), outer, h); !open || err != nil {
					t.Error(open, err)
				}
				time.Sleep(time.Millisecond) // both have theirs
				for range 2 {
					if err := serve(t.Context(), h, "SELECT 1", time.Millisecond, nil); err != nil {
						t.Error(err)
					}
				}
				attach.Finish(outer, nil)
			})
		}
		wg.Wait()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if s := l.Stats()[0]; s.InUse != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}
