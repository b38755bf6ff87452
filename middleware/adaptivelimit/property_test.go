package adaptivelimit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
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

// visit is a call that comes at some time, in milliseconds like all of its times.
type visit struct {
	at, deadline, cancel, works, reads int // deadline and cancel after at; 0: none
	ends                               linktest.Act
	priority                           sp.Priority
	share                              string
}

const exits linktest.Act = "ends its goroutine"

var visits = rapid.Custom(func(t *rapid.T) visit {
	return visit{
		at:       rapid.IntRange(0, 50).Draw(t, "at"),
		deadline: rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)).Draw(t, "deadline"),
		cancel:   rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)).Draw(t, "cancel"),
		works:    rapid.IntRange(0, 20).Draw(t, "works"),
		reads:    rapid.IntRange(0, 20).Draw(t, "reads"),
		ends:     rapid.SampledFrom([]linktest.Act{linktest.Succeeds, linktest.LeavesOpen, linktest.Fails, linktest.Breaks, exits}).Draw(t, "ends"),
		priority: sp.Priority(rapid.IntRange(int(sp.PriorityLow), int(sp.PriorityCritical)).Draw(t, "priority")),
		share:    rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "share"),
	}
})

// crowded counts who is in.
type crowded struct {
	handler  sp.Handler
	in, most atomic.Int64
	problem  atomic.Pointer[string]
}

func (c *crowded) step(by int64) {
	for n := c.in.Add(by); ; {
		most := c.most.Load()
		if n <= most || c.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (c *crowded) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.problem.Store(&text)
}

// perform makes the call of v.
func (c *crowded) perform(v visit) {
	time.Sleep(linktest.Milliseconds(v.at))
	ctx := sp.WithShare(sp.WithPriority(context.Background(), v.priority), v.share)
	if v.deadline != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, linktest.Milliseconds(v.deadline))
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if v.cancel != 0 {
		time.AfterFunc(linktest.Milliseconds(v.cancel), cancel)
	}
	entered := false
	call := linktest.NewCall(ctx, sp.OpQuery, &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
		entered = true
		c.step(1)
		time.Sleep(linktest.Milliseconds(v.works))
		if v.ends != linktest.LeavesOpen {
			defer c.step(-1)
		}
		switch v.ends {
		case linktest.LeavesOpen:
			attach.KeepOpen(call)
		case linktest.Fails:
			return linktest.ErrDriver
		case linktest.Breaks:
			panic("driver")
		case exits:
			runtime.Goexit()
		}
		return nil
	}})
	defer func() { _ = recover() }()
	open, err := attach.Run(ctx, call, c.handler)
	switch {
	case open:
		time.Sleep(linktest.Milliseconds(v.reads))
		c.step(-1)
		attach.Finish(call, nil)
	case !entered && ctx.Err() == nil && !errors.Is(err, fault.ErrRejected):
		c.fail("%+v: not let in, but %v", v, err)
	case entered && errors.Is(err, fault.ErrRejected):
		c.fail("%+v: let in, and then %v", v, err)
	}
}

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
		all := rapid.SliceOfN(visits, 1, 12).Draw(rt, "visits")
		c := &crowded{}
		var stats adaptivelimit.Stats
		synctest.Test(t, func(t *testing.T) {
			l := must(t, opts...)
			c.handler = sp.NewChain(l).Then(attach.Perform)
			var wg sync.WaitGroup
			for _, v := range all {
				wg.Go(func() { c.perform(v) })
			}
			wg.Wait()
			stats = l.Stats()[0]
		})
		switch p := c.problem.Load(); {
		case p != nil:
			rt.Fatal(*p)
		case c.most.Load() > int64(most):
			rt.Fatalf("%d were in at once, at most %d may be", c.most.Load(), most)
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
	c := &crowded{handler: h}
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if (worker+i)%5 == 0 {
					go cancel()
				}
				call := linktest.NewCall(ctx, sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
					c.step(1)
					runtime.Gosched()
					c.step(-1)
					if i%9 == 0 {
						return fault.ErrPoolTimeout // an overload: the limit shrinks
					}
					return nil
				}})
				if _, err := attach.Run(ctx, call, h); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, fault.ErrPoolTimeout) && !errors.Is(err, fault.ErrRejected) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if s := l.Stats()[0]; s.InUse != 0 || s.Waiting != 0 || c.most.Load() > 3 {
		t.Errorf("%+v; %d were in at once", s, c.most.Load())
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
