package middleware_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// twin is an operation of which forks can be made: what it does depends on
// which fork it is, from 1.
type twin struct {
	do     func(ctx context.Context, call *sp.Call, n int) error
	number int
	forks  *forkings
}

// forkings is what came of an operation and its forks.
type forkings struct {
	mu        sync.Mutex
	made      int
	performed []int
	discarded []int
	hooked    map[int][]error // what the finish hooks of each got
	adopted   int             // 0: the operation itself was performed
	inside    map[int]context.Context
}

func newTwin(do func(ctx context.Context, call *sp.Call, n int) error) *twin {
	return &twin{do: do, forks: &forkings{hooked: map[int][]error{}, inside: map[int]context.Context{}}}
}

func (w *twin) Do(ctx context.Context, call *sp.Call) error {
	f, n := w.forks, w.number
	f.mu.Lock()
	f.performed = append(f.performed, n)
	f.inside[n] = ctx
	f.mu.Unlock()
	call.OnFinish(func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.hooked[n] = append(f.hooked[n], err)
	})
	if n == 0 {
		f.adopted = 0
	}
	err := w.do(ctx, call, n)
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

func (w *twin) Discard() {
	w.forks.mu.Lock()
	defer w.forks.mu.Unlock()
	w.forks.discarded = append(w.forks.discarded, w.number)
}

func (w *twin) Fork() sp.Operation {
	w.forks.mu.Lock()
	defer w.forks.mu.Unlock()
	w.forks.made++
	return &twin{do: w.do, number: w.forks.made, forks: w.forks}
}

func (w *twin) Adopt(winner sp.Operation) { w.forks.adopted = winner.(*twin).number }

// reading returns a call that may be hedged.
func reading(ctx context.Context, operation sp.Operation) *sp.Call {
	return statement(sp.WithReadOnly(ctx), sp.OpQuery, "SELECT name FROM users WHERE id = $1", operation)
}

// sleeps waits for d, or until the context ends.
func sleeps(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hedging returns an interceptor that hedges after a second.
func hedging(t testing.TB, opts ...middleware.HedgeOption) sp.Interceptor {
	t.Helper()
	opts = append([]middleware.HedgeOption{middleware.WithHedgeDelay(second)}, opts...)
	return must(t)(middleware.Hedge(opts...))
}

// hedged returns a handler of a chain of nothing else.
func hedged(t testing.TB, opts ...middleware.HedgeOption) sp.Handler {
	t.Helper()
	return sp.NewChain(hedging(t, opts...)).Then(sp.Perform)
}

func TestTheSecondAttemptWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		op := newTwin(func(ctx context.Context, call *sp.Call, n int) error {
			if n == 1 {
				return sleeps(ctx, time.Hour)
			}
			call.KeepOpen()
			return sleeps(ctx, second)
		})
		m := new(meters)
		h := hedged(t, middleware.WithMeterProvider(m), middleware.WithName("users"))
		call := reading(t.Context(), op)
		var events []sp.Event
		call.OnEvent(func(e sp.Event) { events = append(events, e) })
		finished := 0
		call.OnFinish(func(error) { finished++ })
		start := time.Now()
		open, err := call.Run(t.Context(), h)
		if took := time.Since(start); !open || err != nil || took != 2*second {
			t.Fatalf("open %v, error %v after %v; want the rows of the second attempt", open, err, took)
		}
		f := op.forks
		if f.adopted != 2 || len(f.hooked[1]) != 1 || !errors.Is(f.hooked[1][0], context.Canceled) || len(f.hooked[2]) != 0 {
			t.Errorf("adopted %d, hooks %v", f.adopted, f.hooked)
		}
		if finished != 0 || f.inside[2].Err() != nil || f.inside[1].Err() == nil {
			t.Errorf("finished %d times, contexts %v and %v", finished, f.inside[1].Err(), f.inside[2].Err())
		}
		call.Finish(nil)
		if finished != 1 || len(f.hooked[2]) != 1 || f.hooked[2][0] != nil || f.inside[2].Err() == nil {
			t.Errorf("finished %d times, hooks %v, context %v", finished, f.hooked, f.inside[2].Err())
		}
		want := []sp.Event{{Kind: middleware.EventHedge, Delay: second}, {Kind: middleware.EventHedge, Delay: second, Detail: "won"}}
		if !slices.Equal(events, want) {
			t.Errorf("events %v", events)
		}
		m.same(t, map[string]int64{"sessionproxy.hedge.attempts sessionproxy.hedge.name=users,sessionproxy.hedge.outcome=won": 1})
		if call.Attempt() != 1 || call.Retried() {
			t.Error("hedging counts as a retry")
		}
	})
}

func TestTheFirstAttemptWins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		op := newTwin(func(ctx context.Context, call *sp.Call, n int) error {
			call.KeepOpen() // also if it is given up
			if n == 1 {
				return sleeps(ctx, 2*second)
			}
			if err := sleeps(ctx, time.Hour); err == nil {
				t.Error("it was not cancelled")
			}
			return nil // a driver that had its rows already
		})
		m := new(meters)
		call := reading(t.Context(), op)
		open, err := call.Run(t.Context(), hedged(t, middleware.WithMeterProvider(m)))
		f := op.forks
		if !open || err != nil || f.adopted != 1 || !slices.Equal(f.discarded, []int{2}) || len(f.hooked[2]) != 1 {
			t.Errorf("open %v, error %v, forks %+v", open, err, f)
		}
		if f.inside[1].Err() != nil {
			t.Error("the context of the rows is over")
		}
		call.Finish(nil)
		m.same(t, map[string]int64{"sessionproxy.hedge.attempts sessionproxy.hedge.outcome=lost": 1})
	})
}

func TestACallThatIsFastEnoughIsMadeOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, want := range []error{nil, serialization, errDriver} {
			op := newTwin(func(ctx context.Context, _ *sp.Call, _ int) error {
				_ = sleeps(ctx, second-1)
				return want
			})
			call := reading(t.Context(), op)
			_, err := call.Run(t.Context(), hedged(t))
			if !errors.Is(err, want) || len(op.forks.performed) != 1 || len(op.forks.hooked[1]) != 1 {
				t.Errorf("error %v, forks %+v", err, op.forks)
			}
			if want == serialization && call.Verdict(err).Class != fault.ClassSerialization {
				t.Errorf("verdict %+v", call.Verdict(err))
			}
		}
	})
}

func TestFailuresOfAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		lost := &fault.ConnLostError{Err: errDriver}
		for _, c := range []struct {
			name          string
			first, second error
			firstTakes    time.Duration
			secondTakes   time.Duration
			want          error
			took          time.Duration
		}{
			{"the other one is waited for", lost, nil, 2 * second, 3 * second, nil, 4 * second},
			{"the second fails first", nil, lost, 5 * second, second, nil, 5 * second},
			{"both fail", lost, errDriver, 5 * second, 10 * second, lost, 11 * second},
			{"a definite answer of the first ends the call", unique, nil, 2 * second, time.Hour, unique, 2 * second},
			{"a definite answer of the second ends the call", nil, unique, time.Hour, second, unique, 2 * second},
		} {
			op := newTwin(func(ctx context.Context, _ *sp.Call, n int) error {
				takes, err := c.firstTakes, c.first
				if n == 2 {
					takes, err = c.secondTakes, c.second
				}
				return cmpErr(sleeps(ctx, takes), err)
			})
			call, start := reading(t.Context(), op), time.Now()
			_, err := call.Run(t.Context(), hedged(t))
			if took := time.Since(start); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || took != c.took {
				t.Errorf("%s: error %v after %v, want %v after %v", c.name, err, took, c.want, c.took)
			}
			for n := 1; n <= 2; n++ {
				if len(op.forks.hooked[n]) != 1 {
					t.Errorf("%s: hooks of attempt %d ran with %v", c.name, n, op.forks.hooked[n])
				}
			}
		}
	})
}

// cmpErr returns the first error that is one.
func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestACallerThatGivesUpEndsBothAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*second, cancel)
		op := newTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return sleeps(ctx, time.Hour) })
		start := time.Now()
		call := reading(ctx, op)
		_, err := call.Run(ctx, hedged(t))
		if !errors.Is(err, context.Canceled) || time.Since(start) != 2*second || len(op.forks.performed) != 2 {
			t.Errorf("error %v after %v, forks %+v", err, time.Since(start), op.forks)
		}
		if v := call.Verdict(err); v.Class != fault.ClassCanceled {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestADeadlineBeforeTheDelayLeavesNoTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		op := newTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return sleeps(ctx, time.Hour) })
		_, err := reading(ctx, op).Run(ctx, hedged(t))
		if !errors.Is(err, context.DeadlineExceeded) || op.forks.made != 0 {
			t.Errorf("error %v, %d forks", err, op.forks.made)
		}
	})
}

func TestPanicsPassAndLeaveNothingBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for which := 1; which <= 2; which++ {
			op := newTwin(func(ctx context.Context, call *sp.Call, n int) error {
				call.KeepOpen()
				if err := sleeps(ctx, 2*second); err != nil {
					return err
				}
				if n == which {
					panic("driver")
				}
				return sleeps(ctx, time.Hour)
			})
			got := func() (v any) {
				defer func() { v = recover() }()
				_, _ = reading(t.Context(), op).Run(t.Context(), hedged(t))
				return nil
			}()
			f := op.forks
			if got != "driver" || len(f.hooked[1]) != 1 || len(f.hooked[2]) != 1 || f.adopted != 0 {
				t.Errorf("attempt %d panics: recovered %v, forks %+v", which, got, f)
			}
			slices.Sort(f.discarded)
			if !slices.Equal(f.discarded, []int{1, 2}) {
				t.Errorf("attempt %d panics: discarded %v", which, f.discarded)
			}
		}
	})
}

func TestGoexitOfAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// The second one's ends the timer's goroutine, and the first goes on.
		op := newTwin(func(ctx context.Context, _ *sp.Call, n int) error {
			if n == 2 {
				runtime.Goexit()
			}
			return sleeps(ctx, 2*second)
		})
		if _, err := reading(t.Context(), op).Run(t.Context(), hedged(t)); err != nil || op.forks.adopted != 1 {
			t.Errorf("error %v, forks %+v", err, op.forks)
		}
		if got := op.forks.hooked[2]; len(got) != 1 || !errors.Is(got[0], sp.ErrAborted) {
			t.Errorf("hooks of the second attempt: %v", got)
		}

		// The first one's ends the caller's.
		op = newTwin(func(ctx context.Context, _ *sp.Call, n int) error {
			if n == 2 {
				return sleeps(ctx, time.Hour)
			}
			time.Sleep(2 * second)
			runtime.Goexit()
			return nil
		})
		finished := 0
		go func() {
			call := reading(t.Context(), op)
			call.OnFinish(func(error) { finished++ })
			_, _ = call.Run(t.Context(), hedged(t))
			t.Error("Run returned")
		}()
		time.Sleep(3 * second)
		synctest.Wait()
		if finished != 1 || len(op.forks.hooked[1]) != 1 || len(op.forks.hooked[2]) != 1 {
			t.Errorf("finished %d times, forks %+v", finished, op.forks)
		}
	})
}

// TestAFailedAttemptGivesBackWhatTheOtherWaitsFor is about a limit further in.
func TestAFailedAttemptGivesBackWhatTheOtherWaitsFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		limiter, _ := newLimit(t, 1)
		op := newTwin(func(ctx context.Context, _ *sp.Call, n int) error {
			if n == 2 {
				return nil
			}
			return cmpErr(sleeps(ctx, 2*second), errDriver)
		})
		call, start := reading(t.Context(), op), time.Now()
		_, err := call.Run(t.Context(), sp.NewChain(hedging(t), limiter).Then(sp.Perform))
		if took := time.Since(start); err != nil || took != 2*second || op.forks.adopted != 2 {
			t.Errorf("error %v after %v, adopted %d", err, took, op.forks.adopted)
		}
		inUse(t, limiter, 0, 0)
	})
}

func TestWhatIsHedged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		reads, unit := sp.WithReadOnly(t.Context()), newCall(t.Context(), sp.OpTransaction, nil)
		for _, c := range []struct {
			name   string
			ctx    context.Context
			op     sp.Op
			text   string
			change func(*sp.Call)
			hedged bool
		}{
			{"a query that is declared to read", reads, sp.OpQuery, "SELECT 1", nil, true},
			{"one that is not", t.Context(), sp.OpQuery, "SELECT 1", nil, false},
			{"one that is idempotent", sp.WithIdempotent(t.Context()), sp.OpQuery, "SELECT 1", nil, false},
			{"one that is not to be repeated", sp.WithNoRetry(reads), sp.OpQuery, "SELECT 1", nil, false},
			{"one that locks", reads, sp.OpQuery, "SELECT 1 FROM t FOR UPDATE", nil, false},
			{"one that writes", reads, sp.OpQuery, "DELETE FROM t RETURNING a", nil, false},
			{"two", reads, sp.OpQuery, "SELECT 1; SELECT 2", nil, false},
			{"exec", reads, sp.OpExec, "SELECT 1", nil, false},
			{"in a transaction", reads, sp.OpQuery, "SELECT 1", func(c *sp.Call) { c.InTx = true }, false},
			{"in a unit", sp.ContextWithCall(reads, unit), sp.OpQuery, "SELECT 1", nil, false},
			{"on one connection", reads, sp.OpQuery, "SELECT 1", func(c *sp.Call) { c.Scope = sp.ScopeConn }, false},
		} {
			op := newTwin(func(ctx context.Context, _ *sp.Call, n int) error {
				if n == 2 {
					return nil
				}
				return sleeps(ctx, 2*second)
			})
			call := statement(c.ctx, c.op, c.text, op)
			if c.change != nil {
				c.change(call)
			}
			start := time.Now()
			_, err := call.Run(c.ctx, hedged(t))
			if took := time.Since(start); err != nil || (took == second) != c.hedged || (len(op.forks.performed) == 2) != c.hedged {
				t.Errorf("%s: error %v after %v, performed %v", c.name, err, took, op.forks.performed)
			}
		}
		if _, err := statement(reads, sp.OpQuery, "SELECT 1", returns(nil)).Run(reads, hedged(t)); err != nil {
			t.Errorf("an operation that can't be forked: %v", err)
		}
		screen := sp.NewChain(must(t)(middleware.Hedge())).Screen()
		if screen(reads, sp.OpQuery) || !screen(t.Context(), sp.OpQuery) || !screen(reads, sp.OpExec) {
			t.Error("it is unconcerned with what it hedges, or concerned with what it does not")
		}
	})
}

func TestTheBudgetBoundsSecondAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := new(meters)
		h := hedged(t, middleware.WithHedgeBudget(0.25), middleware.WithMeterProvider(m))
		second := 0
		for range 100 {
			op := newTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return sleeps(ctx, 2*time.Second) })
			_, _ = reading(t.Context(), op).Run(t.Context(), h)
			second += op.forks.made - 1
		}
		if second != 10+24 { // what was saved up, and a quarter of all but the first
			t.Errorf("%d second attempts at 100 calls", second)
		}
		m.same(t, map[string]int64{
			"sessionproxy.hedge.attempts sessionproxy.hedge.outcome=lost": 34,
			"sessionproxy.hedge.skipped sessionproxy.hedge.reason=budget": 66,
		})
	})
}

func TestAPoolWithoutAFreeConnectionIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := new(meters)
		h := hedged(t, middleware.WithHedgePool(func() bool { return false }), middleware.WithMeterProvider(m))
		op := newTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return sleeps(ctx, 2*second) })
		if _, err := reading(t.Context(), op).Run(t.Context(), h); err != nil || len(op.forks.performed) != 1 {
			t.Errorf("error %v, performed %v", err, op.forks.performed)
		}
		m.same(t, map[string]int64{"sessionproxy.hedge.skipped sessionproxy.hedge.reason=pool": 1})
	})
}

func TestTheDelayIsLearnedFromEachStatement(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := sp.NewChain(must(t)(middleware.Hedge(middleware.WithHedgePercentile(0.9)))).Then(sp.Perform)
		call := func(text string, d time.Duration) *forkings {
			op := newTwin(func(ctx context.Context, _ *sp.Call, n int) error {
				if n == 2 {
					return nil
				}
				return sleeps(ctx, d)
			})
			ctx := sp.WithReadOnly(t.Context())
			if _, err := statement(ctx, sp.OpQuery, text, op).Run(ctx, h); err != nil {
				t.Fatal(err)
			}
			return op.forks
		}
		const fast, slow = "SELECT a FROM t", "SELECT count(*) FROM t"
		for i := range 32 { // enough to know the nine tenths
			if f := call(fast, ms(10)); f.made != 0 {
				t.Fatalf("call %d was hedged, and nothing is known", i)
			}
			call(slow, second)
		}
		if f := call(fast, ms(10)); len(f.performed) != 1 {
			t.Error("a call as fast as all was hedged")
		}
		if f := call(fast, ms(20)); len(f.performed) != 2 || f.adopted != 2 {
			t.Errorf("a slow call was not hedged: %+v", f)
		}
		if f := call(slow, second); len(f.performed) != 1 {
			t.Error("a statement is measured by another")
		}
	})
}

func TestFailuresTeachNoDelay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := sp.NewChain(must(t)(middleware.Hedge(middleware.WithHedgePercentile(0.5)))).Then(sp.Perform)
		for range 100 {
			op := newTwin(func(context.Context, *sp.Call, int) error { return errDriver })
			_, _ = reading(t.Context(), op).Run(t.Context(), h)
		}
		op := newTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return sleeps(ctx, second) })
		if _, _ = reading(t.Context(), op).Run(t.Context(), h); op.forks.made != 0 {
			t.Error("calls that fail at once have made all others slow")
		}
	})
}

func TestHedgeRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]middleware.HedgeOption{
		"middleware: WithHedgePercentile(0.4): want 0.5 to 0.99":      middleware.WithHedgePercentile(0.4),
		"middleware: WithHedgePercentile(0.999): want 0.5 to 0.99":    middleware.WithHedgePercentile(0.999),
		"middleware: WithHedgeDelay(0s): want more than 0":            middleware.WithHedgeDelay(0),
		"middleware: WithHedgeBudget(0): want more than 0, up to 1":   middleware.WithHedgeBudget(0),
		"middleware: WithHedgeBudget(1.5): want more than 0, up to 1": middleware.WithHedgeBudget(1.5),
		"middleware: WithHedgePool(nil): want a function":             middleware.WithHedgePool(nil),
		`middleware: WithName(""): want a name`:                       middleware.WithName(""),
		"middleware: WithMeterProvider(nil): want a meter provider":   middleware.WithMeterProvider(nil),
		"middleware: make a counter: no such instrument":              middleware.WithMeterProvider(&meters{fail: "sessionproxy.hedge.skipped"}),
	} {
		i, err := middleware.Hedge(o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Hedge = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := middleware.Hedge(middleware.WithMeterProvider(&meters{fail: "sessionproxy.hedge.attempts"})); !errors.Is(err, errInstrument) {
		t.Errorf("error %v", err)
	}
	if _, err := middleware.Hedge(nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
