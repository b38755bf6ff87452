package hedge_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

// hedging returns an interceptor that hedges after a second.
func hedging(t testing.TB, opts ...hedge.Option) sp.Interceptor {
	t.Helper()
	opts = append([]hedge.Option{hedge.WithDelay(time.Second)}, opts...)
	return linktest.Must(t)(hedge.New(opts...))
}

// hedged returns a handler of a chain of nothing else.
func hedged(t testing.TB, opts ...hedge.Option) sp.Handler {
	t.Helper()
	return sp.NewChain(hedging(t, opts...)).Then(attach.Perform)
}

func TestTheSecondAttemptWins(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.NewTwin(func(ctx context.Context, call *sp.Call, n int) error {
			if n == 1 {
				return linktest.Sleeps(ctx, time.Hour)
			}
			attach.KeepOpen(call)
			return linktest.Sleeps(ctx, time.Second)
		})
		m := new(linktest.Meters)
		h := hedged(t, hedge.WithMeterProvider(m), hedge.WithName("users"))
		call := linktest.ReadOnly(t.Context(), op)
		var events []sp.Event
		call.OnEvent(func(e sp.Event) { events = append(events, e) })
		finished := 0
		call.OnFinish(func(error) { finished++ })
		start := time.Now()
		open, err := attach.Run(t.Context(), call, h)
		if took := time.Since(start); !open || err != nil || took != 2*time.Second {
			t.Fatalf("open %v, error %v after %v; want the rows of the second attempt", open, err, took)
		}
		f := op.Forks
		if f.Adopted != 2 || len(f.Hooked[1]) != 1 || !errors.Is(f.Hooked[1][0], context.Canceled) || len(f.Hooked[2]) != 0 {
			t.Errorf("adopted %d, hooks %v", f.Adopted, f.Hooked)
		}
		if finished != 0 || f.Inside[2].Err() != nil || f.Inside[1].Err() == nil {
			t.Errorf("finished %d times, contexts %v and %v", finished, f.Inside[1].Err(), f.Inside[2].Err())
		}
		attach.Finish(call, nil)
		if finished != 1 || len(f.Hooked[2]) != 1 || f.Hooked[2][0] != nil || f.Inside[2].Err() == nil {
			t.Errorf("finished %d times, hooks %v, context %v", finished, f.Hooked, f.Inside[2].Err())
		}
		want := []sp.Event{{Kind: hedge.Event, Delay: time.Second}, {Kind: hedge.Event, Delay: time.Second, Detail: "won"}}
		if !slices.Equal(events, want) {
			t.Errorf("events %v", events)
		}
		m.Same(t, map[string]int64{"sessionproxy.hedge.attempts sessionproxy.hedge.name=users,sessionproxy.hedge.outcome=won": 1})
		if call.Attempt() != 1 || call.Retried() {
			t.Error("hedging counts as a retry")
		}
	})
}

func TestTheFirstAttemptWins(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.NewTwin(func(ctx context.Context, call *sp.Call, n int) error {
			attach.KeepOpen(call) // also if it is given up
			if n == 1 {
				return linktest.Sleeps(ctx, 2*time.Second)
			}
			if err := linktest.Sleeps(ctx, time.Hour); err == nil {
				t.Error("it was not cancelled")
			}
			return nil // a driver that had its rows already
		})
		m := new(linktest.Meters)
		call := linktest.ReadOnly(t.Context(), op)
		open, err := attach.Run(t.Context(), call, hedged(t, hedge.WithMeterProvider(m)))
		f := op.Forks
		if !open || err != nil || f.Adopted != 1 || !slices.Equal(f.Discarded, []int{2}) || len(f.Hooked[2]) != 1 {
			t.Errorf("open %v, error %v, forks %+v", open, err, f)
		}
		if f.Inside[1].Err() != nil {
			t.Error("the context of the rows is over")
		}
		attach.Finish(call, nil)
		m.Same(t, map[string]int64{"sessionproxy.hedge.attempts sessionproxy.hedge.outcome=lost": 1})
	})
}

func TestACallThatIsFastEnoughIsMadeOnce(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		for _, want := range []error{nil, linktest.ErrSerialization, linktest.ErrDriver} {
			op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error {
				_ = linktest.Sleeps(ctx, time.Second-1)
				return want
			})
			call := linktest.ReadOnly(t.Context(), op)
			_, err := attach.Run(t.Context(), call, hedged(t))
			if !errors.Is(err, want) || len(op.Forks.Performed) != 1 || len(op.Forks.Hooked[1]) != 1 {
				t.Errorf("error %v, forks %+v", err, op.Forks)
			}
			if want == linktest.ErrSerialization && call.Verdict(err).Class != fault.ClassSerialization {
				t.Errorf("verdict %+v", call.Verdict(err))
			}
		}
	})
}

func TestFailuresOfAttempts(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		lost := &fault.ConnLostError{Err: linktest.ErrDriver}
		for _, c := range []struct {
			name          string
			first, second error
			firstTakes    time.Duration
			secondTakes   time.Duration
			want          error
			took          time.Duration
		}{
			{"the other one is waited for", lost, nil, 2 * time.Second, 3 * time.Second, nil, 4 * time.Second},
			{"the second fails first", nil, lost, 5 * time.Second, time.Second, nil, 5 * time.Second},
			{"both fail", lost, linktest.ErrDriver, 5 * time.Second, 10 * time.Second, lost, 11 * time.Second},
			{"a definite answer of the first ends the call", linktest.ErrUnique, nil, 2 * time.Second, time.Hour, linktest.ErrUnique, 2 * time.Second},
			{"a definite answer of the second ends the call", nil, linktest.ErrUnique, time.Hour, time.Second, linktest.ErrUnique, 2 * time.Second},
		} {
			op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, n int) error {
				takes, err := c.firstTakes, c.first
				if n == 2 {
					takes, err = c.secondTakes, c.second
				}
				return cmpErr(linktest.Sleeps(ctx, takes), err)
			})
			call, start := linktest.ReadOnly(t.Context(), op), time.Now()
			_, err := attach.Run(t.Context(), call, hedged(t))
			if took := time.Since(start); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || took != c.took {
				t.Errorf("%s: error %v after %v, want %v after %v", c.name, err, took, c.want, c.took)
			}
			for n := 1; n <= 2; n++ {
				if len(op.Forks.Hooked[n]) != 1 {
					t.Errorf("%s: hooks of attempt %d ran with %v", c.name, n, op.Forks.Hooked[n])
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
	linktest.Bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return linktest.Sleeps(ctx, time.Hour) })
		start := time.Now()
		call := linktest.ReadOnly(ctx, op)
		_, err := attach.Run(ctx, call, hedged(t))
		if !errors.Is(err, context.Canceled) || time.Since(start) != 2*time.Second || len(op.Forks.Performed) != 2 {
			t.Errorf("error %v after %v, forks %+v", err, time.Since(start), op.Forks)
		}
		if v := call.Verdict(err); v.Class != fault.ClassCanceled {
			t.Errorf("verdict %+v", v)
		}
	})
}

func TestADeadlineBeforeTheDelayLeavesNoTime(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return linktest.Sleeps(ctx, time.Hour) })
		_, err := attach.Run(ctx, linktest.ReadOnly(ctx, op), hedged(t))
		if !errors.Is(err, context.DeadlineExceeded) || op.Forks.Made != 0 {
			t.Errorf("error %v, %d forks", err, op.Forks.Made)
		}
	})
}

func TestPanicsPassAndLeaveNothingBehind(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		for which := 1; which <= 2; which++ {
			op := linktest.NewTwin(func(ctx context.Context, call *sp.Call, n int) error {
				attach.KeepOpen(call)
				if err := linktest.Sleeps(ctx, 2*time.Second); err != nil {
					return err
				}
				if n == which {
					panic("driver")
				}
				return linktest.Sleeps(ctx, time.Hour)
			})
			got := func() (v any) {
				defer func() { v = recover() }()
				_, _ = attach.Run(t.Context(), linktest.ReadOnly(t.Context(), op), hedged(t))
				return nil
			}()
			f := op.Forks
			if got != "driver" || len(f.Hooked[1]) != 1 || len(f.Hooked[2]) != 1 || f.Adopted != 0 {
				t.Errorf("attempt %d panics: recovered %v, forks %+v", which, got, f)
			}
			slices.Sort(f.Discarded)
			if !slices.Equal(f.Discarded, []int{1, 2}) {
				t.Errorf("attempt %d panics: discarded %v", which, f.Discarded)
			}
		}
	})
}

func TestGoexitOfAnAttempt(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		// The second one's ends the timer's goroutine, and the first goes on.
		op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, n int) error {
			if n == 2 {
				runtime.Goexit()
			}
			return linktest.Sleeps(ctx, 2*time.Second)
		})
		if _, err := attach.Run(t.Context(), linktest.ReadOnly(t.Context(), op), hedged(t)); err != nil || op.Forks.Adopted != 1 {
			t.Errorf("error %v, forks %+v", err, op.Forks)
		}
		if got := op.Forks.Hooked[2]; len(got) != 1 || !errors.Is(got[0], sp.ErrAborted) {
			t.Errorf("hooks of the second attempt: %v", got)
		}

		// The first one's ends the caller's.
		op = linktest.NewTwin(func(ctx context.Context, _ *sp.Call, n int) error {
			if n == 2 {
				return linktest.Sleeps(ctx, time.Hour)
			}
			time.Sleep(2 * time.Second)
			runtime.Goexit()
			return nil
		})
		finished := 0
		go func() {
			call := linktest.ReadOnly(t.Context(), op)
			call.OnFinish(func(error) { finished++ })
			_, _ = attach.Run(t.Context(), call, hedged(t))
			t.Error("Run returned")
		}()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if finished != 1 || len(op.Forks.Hooked[1]) != 1 || len(op.Forks.Hooked[2]) != 1 {
			t.Errorf("finished %d times, forks %+v", finished, op.Forks)
		}
	})
}

// TestAFailedAttemptGivesBackWhatTheOtherWaitsFor is about a limit further in.
func TestAFailedAttemptGivesBackWhatTheOtherWaitsFor(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		limiter, err := limit.New(1)
		if err != nil {
			t.Fatal(err)
		}
		op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, n int) error {
			if n == 2 {
				return nil
			}
			return cmpErr(linktest.Sleeps(ctx, 2*time.Second), linktest.ErrDriver)
		})
		call, start := linktest.ReadOnly(t.Context(), op), time.Now()
		_, err = attach.Run(t.Context(), call, sp.NewChain(hedging(t), limiter).Then(attach.Perform))
		if took := time.Since(start); err != nil || took != 2*time.Second || op.Forks.Adopted != 2 {
			t.Errorf("error %v after %v, adopted %d", err, took, op.Forks.Adopted)
		}
		if s := limiter.Stats(); s.InUse != 0 || s.Waiting != 0 {
			t.Errorf("permits %+v", s)
		}
	})
}

func TestWhatIsHedged(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		reads, unit := sp.WithReadOnly(t.Context()), linktest.NewCall(t.Context(), sp.OpTransaction, nil)
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
			{"in a unit", attach.Context(reads, unit), sp.OpQuery, "SELECT 1", nil, false},
			{"on one connection", reads, sp.OpQuery, "SELECT 1", func(c *sp.Call) { c.Scope = sp.ScopeConn }, false},
		} {
			op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, n int) error {
				if n == 2 {
					return nil
				}
				return linktest.Sleeps(ctx, 2*time.Second)
			})
			call := linktest.Statement(c.ctx, c.op, c.text, op)
			if c.change != nil {
				c.change(call)
			}
			start := time.Now()
			_, err := attach.Run(c.ctx, call, hedged(t))
			if took := time.Since(start); err != nil || (took == time.Second) != c.hedged || (len(op.Forks.Performed) == 2) != c.hedged {
				t.Errorf("%s: error %v after %v, performed %v", c.name, err, took, op.Forks.Performed)
			}
		}
		if _, err := attach.Run(reads, linktest.Statement(reads, sp.OpQuery, "SELECT 1", linktest.Returns(nil)), hedged(t)); err != nil {
			t.Errorf("an operation that can't be forked: %v", err)
		}
		enabled := sp.NewChain(linktest.Must(t)(hedge.New())).Enabled()
		if !enabled(reads, sp.OpQuery) || enabled(t.Context(), sp.OpQuery) || enabled(reads, sp.OpExec) {
			t.Error("it is off for what it hedges, or on for what it does not")
		}
	})
}

func TestTheBudgetBoundsSecondAttempts(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		m := new(linktest.Meters)
		h := hedged(t, hedge.WithBudget(0.25), hedge.WithMeterProvider(m))
		second := 0
		for range 100 {
			op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return linktest.Sleeps(ctx, 2*time.Second) })
			_, _ = attach.Run(t.Context(), linktest.ReadOnly(t.Context(), op), h)
			second += op.Forks.Made - 1
		}
		if second != 10+24 { // what was saved up, and a quarter of all but the first
			t.Errorf("%d second attempts at 100 calls", second)
		}
		m.Same(t, map[string]int64{
			"sessionproxy.hedge.attempts sessionproxy.hedge.outcome=lost": 34,
			"sessionproxy.hedge.skipped sessionproxy.hedge.reason=budget": 66,
		})
	})
}

func TestAPoolWithoutAFreeConnectionIsLeftAlone(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		m := new(linktest.Meters)
		h := hedged(t, hedge.WithPool(func() bool { return false }), hedge.WithMeterProvider(m))
		op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return linktest.Sleeps(ctx, 2*time.Second) })
		if _, err := attach.Run(t.Context(), linktest.ReadOnly(t.Context(), op), h); err != nil || len(op.Forks.Performed) != 1 {
			t.Errorf("error %v, performed %v", err, op.Forks.Performed)
		}
		m.Same(t, map[string]int64{"sessionproxy.hedge.skipped sessionproxy.hedge.reason=pool": 1})
	})
}

func TestTheDelayIsLearnedFromEachStatement(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		h := sp.NewChain(linktest.Must(t)(hedge.New(hedge.WithPercentile(0.9)))).Then(attach.Perform)
		call := func(text string, d time.Duration) *linktest.Forkings {
			op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, n int) error {
				if n == 2 {
					return nil
				}
				return linktest.Sleeps(ctx, d)
			})
			ctx := sp.WithReadOnly(t.Context())
			if _, err := attach.Run(ctx, linktest.Statement(ctx, sp.OpQuery, text, op), h); err != nil {
				t.Fatal(err)
			}
			return op.Forks
		}
		const fast, slow = "SELECT a FROM t", "SELECT count(*) FROM t"
		for i := range 32 { // enough to know the nine tenths
			if f := call(fast, linktest.Milliseconds(10)); f.Made != 0 {
				t.Fatalf("call %d was hedged, and nothing is known", i)
			}
			call(slow, time.Second)
		}
		if f := call(fast, linktest.Milliseconds(10)); len(f.Performed) != 1 {
			t.Error("a call as fast as all was hedged")
		}
		if f := call(fast, linktest.Milliseconds(20)); len(f.Performed) != 2 || f.Adopted != 2 {
			t.Errorf("a slow call was not hedged: %+v", f)
		}
		if f := call(slow, time.Second); len(f.Performed) != 1 {
			t.Error("a statement is measured by another")
		}
	})
}

func TestFailuresTeachNoDelay(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		h := sp.NewChain(linktest.Must(t)(hedge.New(hedge.WithPercentile(0.5)))).Then(attach.Perform)
		for range 100 {
			op := linktest.NewTwin(func(context.Context, *sp.Call, int) error { return linktest.ErrDriver })
			_, _ = attach.Run(t.Context(), linktest.ReadOnly(t.Context(), op), h)
		}
		op := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return linktest.Sleeps(ctx, time.Second) })
		if _, _ = attach.Run(t.Context(), linktest.ReadOnly(t.Context(), op), h); op.Forks.Made != 0 {
			t.Error("calls that fail at once have made all others slow")
		}
	})
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]hedge.Option{
		"hedge: WithPercentile(0.4): want 0.5 to 0.99":         hedge.WithPercentile(0.4),
		"hedge: WithPercentile(0.999): want 0.5 to 0.99":       hedge.WithPercentile(0.999),
		"hedge: WithDelay(0s): want more than 0":               hedge.WithDelay(0),
		"hedge: WithBudget(0): want more than 0, up to 1":      hedge.WithBudget(0),
		"hedge: WithBudget(1.5): want more than 0, up to 1":    hedge.WithBudget(1.5),
		"hedge: WithPool(nil): want a function":                hedge.WithPool(nil),
		`hedge: WithName(""): want a name`:                     hedge.WithName(""),
		"hedge: WithMeterProvider(nil): want a meter provider": hedge.WithMeterProvider(nil),
		"hedge: make a counter: no such instrument":            hedge.WithMeterProvider(&linktest.Meters{Fail: "sessionproxy.hedge.skipped"}),
	} {
		i, err := hedge.New(o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Hedge = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := hedge.New(hedge.WithMeterProvider(&linktest.Meters{Fail: "sessionproxy.hedge.attempts"})); !errors.Is(err, linktest.ErrInstrument) {
		t.Errorf("error %v", err)
	}
	if _, err := hedge.New(nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}

func TestAPanicInTheFunctionOfThePoolIsTheCallsAlone(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		h := hedged(t, hedge.WithPool(func() bool { panic("mine") }))
		slow := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, _ int) error { return linktest.Sleeps(ctx, 2*time.Second) })
		call := linktest.ReadOnly(t.Context(), slow)
		finished := 0
		call.OnFinish(func(error) { finished++ })
		_, err, panicked := linktest.RunCaught(call, h)
		if !panicked || finished != 1 || len(slow.Forks.Hooked[1]) != 1 {
			t.Errorf("error %v, panicked %t, finished %d times, forks %+v", err, panicked, finished, slow.Forks)
		}
		fast := linktest.NewTwin(func(context.Context, *sp.Call, int) error { return nil })
		if _, err := attach.Run(t.Context(), linktest.ReadOnly(t.Context(), fast), h); err != nil {
			t.Errorf("a call that is fast enough: %v", err)
		}
	})
}
