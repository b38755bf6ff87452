package linktest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Exits is an [Act] of visits: the operation ends its goroutine.
const Exits Act = "ends its goroutine"

// Visit is a call that comes to a limit at some time, in milliseconds like all of
// its times.
type Visit struct {
	// At is when it comes.
	At int
	// Deadline is how long after At its deadline is; 0: it has none.
	Deadline int
	// Cancel is how long after At its context is cancelled; 0: never.
	Cancel int
	// Works is how long its operation takes.
	Works int
	// Reads is how long its result stays open.
	Reads int
	// Ends is how the operation ends.
	Ends Act
	// Priority is the call's.
	Priority sp.Priority
	// Share is the call's.
	Share string
}

// DrawVisit makes up a visit, with a priority and a share.
func DrawVisit(t *rapid.T) Visit {
	return Visit{
		At:       rapid.IntRange(0, 50).Draw(t, "at"),
		Deadline: rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)).Draw(t, "deadline"),
		Cancel:   rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)).Draw(t, "cancel"),
		Works:    rapid.IntRange(0, 20).Draw(t, "works"),
		Reads:    rapid.IntRange(0, 20).Draw(t, "reads"),
		Ends:     rapid.SampledFrom([]Act{Succeeds, LeavesOpen, Fails, Breaks, Exits}).Draw(t, "ends"),
		Priority: sp.Priority(rapid.IntRange(int(sp.PriorityLow), int(sp.PriorityCritical)).Draw(t, "priority")),
		Share:    rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "share"),
	}
}

// Crowd are the visitors of a limit.
type Crowd struct {
	// Handler is the limit around [attach.Perform].
	Handler sp.Handler

	mu       sync.Mutex
	in, most int
	problem  error
}

// Most returns how many were let in at once.
func (c *Crowd) Most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}

// Err returns what a visitor has found to be wrong.
func (c *Crowd) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

func (c *Crowd) step(by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in += by
	c.most = max(c.most, c.in)
}

func (c *Crowd) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = fmt.Errorf(format, args...)
}

// Come has visits come, and returns when all have ended.
func (c *Crowd) Come(visits []Visit) {
	var wg sync.WaitGroup
	for _, v := range visits {
		wg.Go(func() { c.perform(v) })
	}
	wg.Wait()
}

// perform makes the call of a visit. A call that was not let in has to be refused,
// unless its context has ended; one that was let in must not be.
func (c *Crowd) perform(v Visit) {
	time.Sleep(Milliseconds(v.At))
	ctx := sp.WithShare(sp.WithPriority(context.Background(), v.Priority), v.Share)
	if v.Deadline != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Milliseconds(v.Deadline))
		defer cancel()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if v.Cancel != 0 {
		time.AfterFunc(Milliseconds(v.Cancel), cancel)
	}
	entered := false
	call := NewCall(ctx, sp.OpQuery, &Script{Act: func(_ context.Context, call *sp.Call) error {
		entered = true
		return c.work(v, call)
	}})
	defer func() { _ = recover() }()
	open, err := attach.Run(ctx, call, c.Handler)
	switch {
	case open:
		time.Sleep(Milliseconds(v.Reads))
		c.step(-1)
		attach.Finish(call, nil)
	case !entered && ctx.Err() == nil && !errors.Is(err, fault.ErrRejected):
		c.fail("%+v: not let in, but %w", v, err)
	case entered && errors.Is(err, fault.ErrRejected):
		c.fail("%+v: let in, and then %w", v, err)
	}
}

// work is the operation of a visit.
func (c *Crowd) work(v Visit, call *sp.Call) error {
	c.step(1)
	time.Sleep(Milliseconds(v.Works))
	if v.Ends != LeavesOpen {
		defer c.step(-1)
	}
	switch v.Ends {
	case LeavesOpen:
		attach.KeepOpen(call)
	case Fails:
		return ErrDriver
	case Breaks:
		panic("driver")
	case Exits:
		runtime.Goexit()
	}
	return nil
}

// Rush makes calls on 16 goroutines, each of 300, of which every fifth is cancelled
// meanwhile. The n-th call of a goroutine ends with the error that ends returns;
// allowed reports which errors a call may come back with.
func (c *Crowd) Rush(t *testing.T, ends func(n int) error, allowed func(err error) bool) {
	t.Helper()
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for n := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if (worker+n)%5 == 0 {
					go cancel()
				}
				call := NewCall(ctx, sp.OpExec, &Script{Act: func(context.Context, *sp.Call) error {
					c.step(1)
					runtime.Gosched()
					c.step(-1)
					return ends(n)
				}})
				if _, err := attach.Run(ctx, call, c.Handler); err != nil && !errors.Is(err, context.Canceled) && !allowed(err) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}
