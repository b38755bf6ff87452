package gate_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/engine/internal/gate"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNeverMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	g := gate.New(2, 1, 0)
	var in, most atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				if _, err := g.Enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				n := in.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				in.Add(-1)
				g.Leave()
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d at once", most.Load())
	}
	var s backend.PoolStats
	g.Stats(&s)
	if s.Max != 3 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAWaitEndsWithItsTimeoutOrContext(t *testing.T) {
	t.Parallel()
	g := gate.New(1, 0, time.Millisecond)
	if _, err := g.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := g.Enter(t.Context())
	var timeout *backend.PoolTimeoutError
	if !errors.As(err, &timeout) || timeout.Max != 1 || timeout.Timeout != time.Millisecond {
		t.Errorf("a wait too long: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	patient := gate.New(1, 0, 0)
	if _, err := patient.Enter(ctx); err != nil { // a free place needs no wait
		t.Errorf("a free place with a dead context: %v", err)
	}
	if _, err := patient.Enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait with a dead context: %v", err)
	}
	var s backend.PoolStats
	g.Stats(&s)
	if s.Waits != 1 || s.Timeouts != 1 || s.WaitTime <= 0 {
		t.Errorf("%+v", s)
	}
}

// operation is a call whose result stays open if it is told to.
type operation struct {
	open bool
	err  error
}

func (o operation) Do(_ context.Context, call *sp.Call) error {
	if o.open {
		attach.KeepOpen(call)
	}
	return o.err
}

// inUse returns how many permits are taken: as many as fit in beside them are
// not.
func inUse(t *testing.T, g *gate.Gate, limit int) (n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	free := 0
	for ; free < limit; free++ {
		if _, err := g.Enter(ctx); err != nil {
			break
		}
	}
	for range free {
		g.Leave()
	}
	return limit - free
}

func TestACallHoldsItsPermitAsLongAsItsResult(t *testing.T) {
	t.Parallel()
	g := gate.New(2, 0, 0)
	h := sp.NewChain(g).Then(attach.Perform)
	start := func(op sp.Op, scope sp.Scope, o operation) *sp.Call {
		call := &sp.Call{}
		attach.Reset(call, o)
		call.Op, call.Scope = op, scope
		_, _ = attach.Run(t.Context(), call, h)
		return call
	}
	start(sp.OpExec, sp.ScopePool, operation{})
	start(sp.OpQuery, sp.ScopePool, operation{err: errors.New("boom")})
	if n := inUse(t, g, 2); n != 0 {
		t.Errorf("%d permits after calls that ended", n)
	}
	start(sp.OpQuery, sp.ScopeConn, operation{open: true})
	start(sp.OpAcquire, sp.ScopePool, operation{open: true})
	if n := inUse(t, g, 2); n != 0 {
		t.Errorf("%d permits for calls that take no connection", n)
	}
	open := start(sp.OpQuery, sp.ScopePool, operation{open: true})
	if n := inUse(t, g, 2); n != 1 {
		t.Errorf("%d permits for open rows", n)
	}
	attach.Finish(open, nil)
	if n := inUse(t, g, 2); n != 0 {
		t.Errorf("%d permits after the rows were closed", n)
	}
}

func TestEachAttemptWaitsAnew(t *testing.T) {
	t.Parallel()
	g := gate.New(1, 0, 0)
	seen := 0
	retry := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := call.Try(ctx, next)
			seen = inUse(t, g, 1) // between the attempts
			if err == nil {
				return nil
			}
			return call.Try(ctx, next)
		}
	})
	call := &sp.Call{}
	attach.Reset(call, operation{err: errors.New("boom")})
	call.Op, call.Scope = sp.OpExec, sp.ScopePool
	_, _ = attach.Run(t.Context(), call, sp.NewChain(retry, g).Then(attach.Perform))
	if seen != 0 || inUse(t, g, 1) != 0 {
		t.Errorf("%d permits between attempts, %d after them", seen, inUse(t, g, 1))
	}
}

func TestABurstIsNotedUntilItIsSettled(t *testing.T) {
	t.Parallel()
	g := gate.New(1, 1, 0)
	enter := func() {
		if _, err := g.Enter(t.Context()); err != nil {
			t.Error(err)
		}
	}
	enter()
	if g.Burst() || g.InUse() != 1 {
		t.Errorf("one of one: burst %t, %d in use", g.Burst(), g.InUse())
	}
	enter()
	g.Leave()
	g.Leave()
	if !g.Burst() || g.InUse() != 0 {
		t.Errorf("after two of one: burst %t, %d in use", g.Burst(), g.InUse())
	}
	if g.ResetBurst(); g.Burst() {
		t.Error("a burst does not end with ResetBurst")
	}
}

func TestEnteringAndLeavingAllocateNothing(t *testing.T) {
	g := gate.New(1, 0, time.Second)
	if n := alloctest.PerRun(100, func() {
		_, _ = g.Enter(t.Context())
		g.Leave()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAVerifierGetsTheNextPermit holds that it goes before those that came first,
// and that there are never more permits than the pool has connections.
func TestAVerifierGetsTheNextPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New(1, 0, 0)
		enter := func(ctx context.Context, in chan<- string, who string) {
			if _, err := g.Enter(ctx); err != nil {
				t.Error(err)
			}
			in <- who
		}
		in := make(chan string, 8)
		enter(t.Context(), in, "holder")
		for range 3 {
			go enter(t.Context(), in, "other")
		}
		synctest.Wait()
		go enter(sp.WithVerifying(t.Context()), in, "verifier")
		synctest.Wait()
		var order []string
		for range 5 {
			order = append(order, <-in)
			if g.InUse() != 1 || len(in) != 0 {
				t.Errorf("%d are in", g.InUse())
			}
			g.Leave()
			synctest.Wait()
		}
		if want := []string{"holder", "verifier", "other", "other", "other"}; !slices.Equal(order, want) {
			t.Errorf("let in %v", order)
		}
		if g.InUse() != 0 {
			t.Errorf("%d are in", g.InUse())
		}
	})
}
