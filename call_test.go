package sessionproxy_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

func TestMarksTravelInTheContext(t *testing.T) {
	t.Parallel()
	if m := sp.MarksFrom(t.Context()); m.Idempotent || m.ReadOnly || m.NoRetry || m.Name != "" || m.VerifyCommit != nil {
		t.Errorf("a bare context carries %+v", m)
	}
	verify := func(context.Context) (bool, error) { return true, nil }
	ctx := sp.WithVerifyCommit(sp.WithCallName(sp.WithNoRetry(sp.WithReadOnly(sp.WithIdempotent(t.Context()))), "orders.pay"), verify)
	call, _ := newCall(nil)
	attach.Bind(ctx, call)
	m := call.Marks
	if !m.Idempotent || !m.ReadOnly || !m.NoRetry || m.Name != "orders.pay" || m.VerifyCommit == nil {
		t.Errorf("marks %+v, want all of them", m)
	}

	unit, _ := newCall(nil)
	unit.Op = sp.OpTransaction
	inner, _ := newCall(nil)
	attach.Bind(attach.Context(ctx, unit), inner)
	if inner.Marks.Name != "" || inner.Marks.VerifyCommit != nil || !inner.Marks.Idempotent {
		t.Errorf("a call inside the unit has marks %+v; name and verifier are the unit's own", inner.Marks)
	}
	if inner.Parent != unit || inner.Unit() != unit || inner.Step() {
		t.Error("the call does not know its unit, or takes itself for a step of it")
	}
	if sp.CallFrom(attach.Context(ctx, unit)) != unit || sp.CallFrom(ctx) != nil {
		t.Error("CallFrom does not give the call above")
	}
}

func TestAStepBelongsToTheCallAbove(t *testing.T) {
	t.Parallel()
	upper, _ := newCall(nil)
	dial, _ := newCall(nil)
	dial.Op = sp.OpConnect
	attach.Bind(attach.Context(t.Context(), upper), dial)
	if !dial.Step() || dial.Unit() != nil {
		t.Error("dialling under a statement is a step of it, in no unit")
	}
	upper.Level = sp.LevelSession
	if dial.Step() {
		t.Error("a statement under a session's method is no step of it")
	}
}

func TestTheVerdictIsComputedOncePerAttempt(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	performs := 0
	call, _ := newCall(func(ctx context.Context, c *sp.Call) error {
		performs++
		if performs == 1 {
			c.Judge(ctx, driver.ErrBadConn, fault.PhaseStatement, fault.ProgressUnknown)
			return driver.ErrBadConn
		}
		return lost
	})
	var classes []fault.Class
	h := sp.NewChain(attempts(2), hooked(func(error) {}), sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			classes = append(classes, call.Verdict(err).Class)
			return err
		}
	})).Then(attach.Perform)
	if _, err := attach.Run(t.Context(), call, h); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	if want := []fault.Class{fault.ClassConnectionLost, fault.ClassUnknown}; !slices.Equal(classes, want) {
		t.Errorf("classes %v, want %v", classes, want)
	}
}

func TestEventsReachEveryListener(t *testing.T) {
	t.Parallel()
	observed := false
	call, _ := newCall(func(_ context.Context, c *sp.Call) error {
		c.Event(sp.Event{Kind: sp.EventQueued})
		observed = c.Observed()
		return nil
	})
	if call.Observed() {
		t.Error("a new call is observed")
	}
	var seen []sp.EventKind
	listen := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if seen = append(seen, "called"); len(seen) == 1 {
				call.OnEvent(func(e sp.Event) { seen = append(seen, e.Kind) })
			} else {
				call.Watch(func(e sp.Event) { seen = append(seen, e.Kind) }, func(error) { seen = append(seen, "finished") })
			}
			return next(ctx, call)
		}
	})
	if _, err := attach.Run(t.Context(), call, sp.NewChain(listen, listen).Then(attach.Perform)); err != nil {
		t.Fatal(err)
	}
	want := []sp.EventKind{"called", "called", sp.EventQueued, sp.EventQueued, "finished"}
	if !slices.Equal(seen, want) || !observed || call.Observed() {
		t.Errorf("%v, observed %v and then %v; want %v, observed until the end", seen, observed, call.Observed(), want)
	}
}

func TestArgsCanBeRead(t *testing.T) {
	t.Parallel()
	named := attach.NamedArgs([]driver.NamedValue{{Name: "id", Ordinal: 1, Value: int64(7)}})
	if name, v := named.At(0); named.Len() != 1 || name != "id" || v != int64(7) {
		t.Errorf("named argument %q %v", name, v)
	}
	plain := attach.PlainArgs([]any{"x", 2})
	if name, v := plain.At(1); plain.Len() != 2 || name != "" || v != 2 {
		t.Errorf("plain argument %q %v", name, v)
	}
}

// forkable is an operation that can be performed several times at once.
type forkable struct {
	script
	result int
	forks  *[]*forkable
}

func (f *forkable) Fork() attach.Performer {
	fork := &forkable{script: f.script, forks: f.forks}
	*f.forks = append(*f.forks, fork)
	return fork
}

func (f *forkable) Adopt(winner attach.Performer) { f.result = winner.(*forkable).result }

func TestConcurrentAttemptsWorkOnForks(t *testing.T) {
	t.Parallel()
	var forks []*forkable
	op := &forkable{forks: &forks}
	call := new(sp.Call)
	attach.Reset(call, op)
	var mu sync.Mutex
	ended := map[error]int{}
	events := 0
	race := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			var wg sync.WaitGroup
			var pair [2]*sp.Call
			for i := range pair {
				fork, ok := call.Fork()
				if !ok {
					t.Fatal("the operation can be forked")
				}
				pair[i] = fork
				wg.Go(func() {
					fork.Event(sp.Event{Kind: sp.EventQueued})
					if err := fork.Try(ctx, next); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			call.Abandon(pair[1], errDB)
			call.Adopt(pair[0])
			return nil
		}
	})
	h := sp.NewChain(
		sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				call.OnEvent(func(sp.Event) { events++ })
				return next(ctx, call)
			}
		}),
		race,
		hooked(func(err error) { mu.Lock(); defer mu.Unlock(); ended[err]++ }),
	).Then(func(_ context.Context, c *sp.Call) error {
		c.RowsAffected = 3
		attach.PerformerOf(c).(*forkable).result = 42
		attach.KeepOpen(c)
		return nil
	})
	open, err := attach.Run(t.Context(), call, h)
	if !open || err != nil {
		t.Fatal(open, err)
	}
	if op.result != 42 || call.RowsAffected != 3 || events != 2 {
		t.Errorf("result %d, rows %d, events %d; want the winner's 42 and 3, and 2", op.result, call.RowsAffected, events)
	}
	if ended[errDB] != 1 || ended[nil] != 0 || forks[1].discarded != 1 {
		t.Errorf("the loser ended %v and was discarded %d times", ended, forks[1].discarded)
	}
	attach.Finish(call, nil)
	if ended[nil] != 1 {
		t.Errorf("the winner ended %d times, want once", ended[nil])
	}
	other, _ := newCall(nil)
	if _, ok := other.Fork(); ok {
		t.Error("an operation that can't be forked was")
	}
}

// TestTheListenersOfAnAdoptedForkGoWithTheirHooks has a fork's outer hook report
// an event at the end of the call: to those around it, and no more to those
// whose own hooks have run.
func TestTheListenersOfAnAdoptedForkGoWithTheirHooks(t *testing.T) {
	t.Parallel()
	call := new(sp.Call)
	attach.Reset(call, &forkable{forks: new([]*forkable)})
	var heard []string
	listen := func(who string, call *sp.Call, hook func()) {
		call.OnEvent(func(sp.Event) { heard = append(heard, who) })
		call.OnFinish(func(error) { hook() })
	}
	none := func() {}
	open, err := attach.Run(t.Context(), call, func(context.Context, *sp.Call) error {
		listen("outside", call, none)
		fork, _ := call.Fork()
		listen("around", fork, none)
		listen("reporter", fork, func() { fork.Event(sp.Event{Kind: sp.EventQueued}) })
		listen("inside", fork, none)
		attach.KeepOpen(fork)
		call.Adopt(fork)
		return nil
	})
	if !open || err != nil {
		t.Fatal(open, err)
	}
	attach.Finish(call, nil)
	if want := []string{"outside", "around", "reporter"}; !slices.Equal(heard, want) {
		t.Errorf("%v heard the event, want %v", heard, want)
	}
}

func TestAnEmptyChainAllocatesNothing(t *testing.T) {
	op := &script{}
	call := new(sp.Call)
	h := sp.NewChain(attempts(1)).Then(attach.Perform)
	if n := alloctest.PerRun(100, func() {
		attach.Reset(call, op)
		attach.Bind(context.Background(), call)
		_, _ = attach.Run(context.Background(), call, h)
	}); n != 0 {
		t.Errorf("%v allocations per call, want none", n)
	}
}

func TestAListenerGoesWithTheHookRegisteredNext(t *testing.T) {
	t.Parallel()
	var heard []string
	observe := func(name string) sp.Interceptor {
		return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				call.OnEvent(func(e sp.Event) { heard = append(heard, name+" "+e.Detail) })
				call.OnFinish(func(error) { call.Event(sp.Event{Detail: "end of " + name}) })
				return next(ctx, call)
			}
		})
	}
	n := 0
	call, _ := newCall(func(_ context.Context, c *sp.Call) error {
		if n++; n == 1 {
			return errDB
		}
		return nil
	})
	h := sp.NewChain(observe("outer"), attempts(2), observe("inner")).Then(attach.Perform)
	if _, err := attach.Run(t.Context(), call, h); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"outer end of inner", "inner end of inner", // the attempt that failed
		"outer end of inner", "inner end of inner", // the one that did not
		"outer end of outer",
	}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}

// lagging is a context whose deadline has passed and whose timer is late.
type lagging struct {
	context.Context
	done chan struct{}
}

func (lagging) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }
func (c lagging) Done() <-chan struct{}     { return c.done }

func (c lagging) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestADeadlineIsTheContextsAlsoIfTheNetworkToldOfItFirst is about drivers
// that hand their context's deadline to the network.
func TestADeadlineIsTheContextsAlsoIfTheNetworkToldOfItFirst(t *testing.T) {
	t.Parallel()
	ctx := lagging{t.Context(), make(chan struct{})}
	time.AfterFunc(time.Millisecond, func() { close(ctx.done) })
	call, _ := newCall(nil)
	v := call.Judge(ctx, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, fault.PhaseStatement, fault.ProgressUnknown)
	if v.Class != fault.ClassTimeout || v.Breaker != fault.BreakerExclude {
		t.Errorf("the verdict is %+v", v)
	}
}

func TestAContextForCallsBelowIsOnePieceOfMemory(t *testing.T) {
	upper, _ := newCall(nil)
	ctx := sp.WithReadOnly(t.Context())
	var below context.Context
	if n := alloctest.PerRun(100, func() { below = attach.Context(ctx, upper) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
	if sp.CallFrom(below) != upper || !sp.MarksFrom(below).ReadOnly {
		t.Error("the context has lost what it is for")
	}
	cancelled, cancel := context.WithCancel(below)
	cancel()
	if sp.CallFrom(cancelled) != upper || below.Err() != nil {
		t.Error("a context below it has lost the call, or has ended it")
	}
}
