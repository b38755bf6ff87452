package limit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
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

// visit is a call that comes to a limiter at some time, in milliseconds like
// all of its times.
type visit struct {
	at       int
	deadline int // after at; 0: none
	cancel   int // after at; 0: never
	works    int // how long its operation takes
	reads    int // how long its result stays open
	ends     linktest.Act
	ctx      context.Context // nil: without marks
}

func drawVisit(t *rapid.T) visit {
	return visit{
		at:       rapid.IntRange(0, 50).Draw(t, "at"),
		deadline: rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)).Draw(t, "deadline"),
		cancel:   rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)).Draw(t, "cancel"),
		works:    rapid.IntRange(0, 20).Draw(t, "works"),
		reads:    rapid.IntRange(0, 20).Draw(t, "reads"),
		ends:     rapid.SampledFrom([]linktest.Act{linktest.Succeeds, linktest.LeavesOpen, linktest.Fails, linktest.Breaks, exits}).Draw(t, "ends"),
	}
}

const exits linktest.Act = "ends its goroutine"

// crowd are the visitors of a limiter.
type crowd struct {
	handler sp.Handler

	mu       sync.Mutex
	in, most int
	problem  error
}

func (c *crowd) step(by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in += by
	c.most = max(c.most, c.in)
}

func (c *crowd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = err
}

// perform makes the call of v.
func (c *crowd) perform(v visit) {
	time.Sleep(linktest.Milliseconds(v.at))
	ctx := v.ctx
	if ctx == nil {
		ctx = context.Background()
	}
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
		c.fail(fmt.Errorf("%+v: not let in, but %w", v, err))
	case entered && errors.Is(err, fault.ErrRejected):
		c.fail(fmt.Errorf("%+v: let in, and then %w", v, err))
	}
}

func TestNoPermitIsLostOrMadeUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.IntRange(1, 3).Draw(rt, "limit")
		queue := rapid.IntRange(0, 5).Draw(rt, "queue")
		patience := rapid.IntRange(0, 60).Draw(rt, "max wait")
		visits := rapid.SliceOfN(rapid.Custom(drawVisit), 1, 12).Draw(rt, "visits")
		c := &crowd{}
		var stats limit.Stats
		synctest.Test(t, func(*testing.T) {
			l, err := limit.New(most, limit.WithQueue(queue), limit.WithMaxWait(linktest.Milliseconds(patience)))
			if err != nil {
				c.problem = err
				return
			}
			c.handler = sp.NewChain(l).Then(attach.Perform)
			var wg sync.WaitGroup
			for _, v := range visits {
				wg.Go(func() { c.perform(v) })
			}
			wg.Wait()
			stats = l.Stats()
		})
		switch {
		case c.problem != nil:
			rt.Fatal(c.problem)
		case c.most > most:
			rt.Fatalf("%d were in at once, the limit is %d", c.most, most)
		case stats.InUse != 0 || stats.Waiting != 0:
			rt.Fatalf("in the end %+v", stats)
		}
	})
}

func TestWhoeverWaitsIsServedInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		visits := rapid.SliceOfN(rapid.Custom(drawVisit), 2, 12).Draw(rt, "visits")
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
					if i > 0 && v.cancel != 0 {
						time.AfterFunc(linktest.Milliseconds(v.cancel), cancel)
					}
					_, _ = attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
						served = append(served, i)
						time.Sleep(linktest.Milliseconds(v.works + 1))
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
	c := &crowd{}
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
					return nil
				}})
				if _, err := attach.Run(ctx, call, h); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if inUse(t, l, 0, 0); c.most > 3 {
		t.Errorf("%d were in at once", c.most)
	}
}
