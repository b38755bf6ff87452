package ratelimit_test

import (
	"context"
	"errors"
	"math"
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
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
)

// newRate returns a Limiter and a handler of a chain of nothing else.
func newRate(t testing.TB, perSecond float64, burst int, opts ...ratelimit.Option) (*ratelimit.Limiter, sp.Handler) {
	t.Helper()
	l, err := ratelimit.New(perSecond, burst, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l, sp.NewChain(l).Then(attach.Perform)
}

func TestABurstPassesAndTheNextOnesWait(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, _ := newRate(t, 2, 3)
		start := time.Now()
		for i, want := range []time.Duration{0, 0, 0, time.Second / 2, time.Second, 3 * time.Second / 2} {
			events, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
			if took := time.Since(start); err != nil || took != want {
				t.Errorf("call %d: after %v, error %v; want %v", i, took, err, want)
			}
			e, waited := linktest.EventOf(events, sp.EventQueued)
			if waited != (want > 0) || waited && (e.Delay != time.Second/2 || e.Detail != "rate limit") {
				t.Errorf("call %d: events %v", i, events)
			}
		}
		time.Sleep(time.Hour) // more than a burst is never saved up
		for range 3 {
			_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		}
		if events, _ := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l); len(events) != 1 {
			t.Error("the fourth call did not wait")
		}
	})
}

// TestTheRateIsKept compares with a bucket of tokens kept by the textbook.
func TestTheRateIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		each := rapid.SampledFrom([]int{1, 2, 4, 5, 8, 10, 20}).Draw(rt, "milliseconds per call")
		burst := rapid.IntRange(1, 4).Draw(rt, "burst")
		patience := rapid.IntRange(0, 60).Draw(rt, "max wait")
		gaps := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 30).Draw(rt, "gaps")
		rate := 1000 / float64(each)
		synctest.Test(t, func(*testing.T) {
			l, err := ratelimit.New(rate, burst, ratelimit.WithMaxWait(linktest.Milliseconds(patience)))
			if err != nil {
				rt.Fatal(err)
			}
			h := sp.NewChain(l).Then(attach.Perform)
			tokens := float64(burst)
			var wg sync.WaitGroup
			for _, gap := range gaps {
				time.Sleep(linktest.Milliseconds(gap))
				tokens = min(tokens+float64(gap)/float64(each), float64(burst))
				want := linktest.Milliseconds(int(math.Round((1 - tokens) * float64(each))))
				passes := want <= linktest.Milliseconds(patience)
				if passes {
					tokens--
				}
				wg.Go(func() {
					start := time.Now()
					_, err := attach.Run(context.Background(), linktest.NewCall(context.Background(), sp.OpExec, linktest.Returns(nil)), h)
					took := time.Since(start)
					refusal, refused := errors.AsType[*ratelimit.Error](err)
					switch {
					case passes && (err != nil || took.Round(time.Microsecond) != max(want, 0)):
						rt.Errorf("after %v, error %v; want to pass after %v", took, err, want)
					case !passes && (!refused || took != 0 || refusal.RetryAfter.Round(time.Microsecond) != want):
						rt.Errorf("after %v, error %v; want to be refused for a wait of %v", took, err, want)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
		})
	})
}

func TestNeverFasterThanTheRateAllows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		burst := rapid.IntRange(1, 4).Draw(rt, "burst")
		at := rapid.SliceOfN(rapid.IntRange(0, 50), 2, 20).Draw(rt, "at")
		cancelled := rapid.SliceOfN(rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 50)), len(at), len(at)).Draw(rt, "cancelled after")
		var mu sync.Mutex
		var starts []time.Time
		synctest.Test(t, func(*testing.T) {
			l, err := ratelimit.New(100, burst)
			if err != nil {
				rt.Fatal(err)
			}
			h := sp.NewChain(l).Then(attach.Perform)
			var wg sync.WaitGroup
			for i := range at {
				wg.Go(func() {
					time.Sleep(linktest.Milliseconds(at[i]))
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if cancelled[i] != 0 {
						time.AfterFunc(linktest.Milliseconds(cancelled[i]), cancel)
					}
					_, _ = attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
						mu.Lock()
						defer mu.Unlock()
						starts = append(starts, time.Now())
						return nil
					}}), h)
				})
			}
			wg.Wait()
		})
		slices.SortFunc(starts, time.Time.Compare)
		for i := range starts {
			for j := i + burst; j < len(starts); j++ {
				if span := starts[j].Sub(starts[i]); span < linktest.Milliseconds(10*(j-i+1-burst)) {
					rt.Fatalf("%d calls in %v", j-i+1, span)
				}
			}
		}
	})
}

func TestACallThatWouldComeTooLateIsRefusedAtOnce(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newRate(t, 1, 1, ratelimit.WithName("reports"))
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		for _, c := range []struct {
			within time.Duration
			reason ratelimit.Reason
			text   string
		}{
			{time.Second / 2, ratelimit.Deadline, "ratelimit: exec: reports: limit of 1 calls per second: a wait of 1s would outlast the deadline"},
			{time.Second, ratelimit.Deadline, "ratelimit: exec: reports: limit of 1 calls per second: a wait of 1s would outlast the deadline"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			op := linktest.Returns(nil)
			events, err := linktest.Run(ctx, sp.OpExec, op, l)
			refusal, ok := errors.AsType[*ratelimit.Error](err)
			if !ok || refusal.Reason != c.reason || err.Error() != c.text || !errors.Is(err, fault.ErrRejected) || op.Performed != 0 {
				t.Errorf("within %v: %v", c.within, err)
			}
			if e, ok := linktest.EventOf(events, sp.EventRejected); !ok || e.Err != err || e.Detail != string(c.reason) {
				t.Errorf("events %v", events)
			}
			if admit := l.Admit(ctx, linktest.NewCall(ctx, sp.OpExec, nil)); admit == nil || admit.Error() != c.text {
				t.Errorf("Admit() = %v", admit)
			}
		}
		start := time.Now()
		go func() {
			_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil)), h)
		}()
		synctest.Wait()
		_, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		refusal, ok := errors.AsType[*ratelimit.Error](err)
		if !ok || refusal.Reason != ratelimit.MaxWait || refusal.RetryAfter != 2*time.Second || time.Since(start) != 0 {
			t.Errorf("after %v: %v, want a refusal at once: two seconds are longer than one", time.Since(start), err)
		}
	})
}

func TestAdmitNeitherWaitsNorTakesAToken(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, _ := newRate(t, 1, 1)
		call := linktest.NewCall(t.Context(), sp.OpExec, nil)
		for range 3 {
			if err := l.Admit(t.Context(), call); err != nil {
				t.Fatal(err)
			}
		}
		if events, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l); err != nil || len(events) != 0 {
			t.Errorf("error %v, events %v", err, events)
		}
		if err := l.Admit(t.Context(), linktest.NewCall(t.Context(), sp.OpCommit, nil)); err != nil {
			t.Errorf("COMMIT: %v", err)
		}
	})
}

func TestATokenThatNobodyUsedGoesToTheNext(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newRate(t, 1, 1)
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		ctx, cancel := context.WithCancel(t.Context())
		op := linktest.Returns(nil)
		call := linktest.NewCall(ctx, sp.OpExec, op)
		time.AfterFunc(time.Second/4, cancel)
		_, err := attach.Run(ctx, call, h)
		if v := call.Verdict(err); !errors.Is(err, context.Canceled) || op.Performed != 0 || v.Class != fault.ClassCanceled || v.Outcome != fault.OutcomeNotSent {
			t.Errorf("error %v, verdict %+v", err, v)
		}
		start := time.Now()
		if _, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l); err != nil || time.Since(start) != 3*time.Second/4 {
			t.Errorf("after %v, error %v; want the token of the one that gave up", time.Since(start), err)
		}
		if _, err := attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, op), h); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had given up before: %v", err)
		}
	})
}

func TestATransactionCountsOnce(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newRate(t, 1, 1)
		unit := linktest.NewCall(t.Context(), sp.OpTransaction, nil)
		start := time.Now()
		_, _ = linktest.Run(t.Context(), sp.OpTransaction, linktest.Returns(nil), l)
		inside := attach.Context(t.Context(), unit)
		for _, op := range []sp.Op{sp.OpBegin, sp.OpExec, sp.OpCommit} {
			_, _ = attach.Run(inside, linktest.NewCall(inside, op, linktest.Returns(nil)), h)
		}
		inTx := linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil))
		inTx.InTx = true
		_, _ = attach.Run(t.Context(), inTx, h)
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v inside", took)
		}
	})
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		perSecond float64
		burst     int
	}{{0, 1}, {-1, 1}, {math.NaN(), 1}, {math.Inf(1), 1}, {2e9, 1}, {1, 0}, {1e-6, 1000}, {1, math.MaxInt}, {math.SmallestNonzeroFloat64, 1}} {
		if l, err := ratelimit.New(c.perSecond, c.burst); err == nil || l != nil {
			t.Errorf("RateLimit(%v, %v) = %v, %v; want an error", c.perSecond, c.burst, l, err)
		}
	}
	for want, o := range map[string]ratelimit.Option{
		"ratelimit: WithMaxWait(-1s): want 0 or more":              ratelimit.WithMaxWait(-time.Second),
		`ratelimit: WithName(""): want a name`:                     ratelimit.WithName(""),
		"ratelimit: WithMeterProvider(nil): want a meter provider": ratelimit.WithMeterProvider(nil),
		"ratelimit: make a counter: no such instrument":            ratelimit.WithMeterProvider(&linktest.Meters{Fail: "sessionproxy.rate_limit.rejected"}),
	} {
		if l, err := ratelimit.New(1, 1, o); err == nil || err.Error() != want || l != nil {
			t.Errorf("RateLimit = %v, %v; want the error %q", l, err, want)
		}
	}
	if _, err := ratelimit.New(1e9, 1, nil); err != nil {
		t.Errorf("the highest rate: %v", err)
	}
}

func TestRefusalsOfARateAreMeasured(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		m := new(linktest.Meters)
		l, h := newRate(t, 1, 1, ratelimit.WithMeterProvider(m))
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		go func() {
			_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil)), h)
		}()
		synctest.Wait()
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		m.Same(t, map[string]int64{
			"sessionproxy.rate_limit.queue":                                            1,
			"sessionproxy.rate_limit.rejected sessionproxy.rate_limit.reason=max_wait": 1,
		})
	})
}

// TestACallWithAConnectionDoesNotWaitForItsTurn holds that it takes its token all
// the same, so that others wait for it.
func TestACallWithAConnectionDoesNotWaitForItsTurn(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, err := ratelimit.New(1, 1)
		if err != nil {
			t.Fatal(err)
		}
		h := l.Wrap(attach.Perform)
		start := time.Now()
		for range 3 {
			call := linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil))
			call.Scope = sp.ScopeConn
			if _, err := attach.Run(t.Context(), call, h); err != nil || time.Since(start) != 0 {
				t.Errorf("waited %v: %v", time.Since(start), err)
			}
		}
		if _, err := attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil)), h); err != nil || time.Since(start) != time.Second {
			t.Errorf("a call of a pool waited %v: %v", time.Since(start), err)
		}
	})
}
