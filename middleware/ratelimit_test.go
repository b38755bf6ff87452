package middleware_test

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
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// newRate returns a RateLimiter and a handler of a chain of nothing else.
func newRate(t testing.TB, perSecond float64, burst int, opts ...middleware.RateLimitOption) (*middleware.RateLimiter, sp.Handler) {
	t.Helper()
	l, err := middleware.RateLimit(perSecond, burst, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l, sp.NewChain(l).Then(sp.Perform)
}

func TestABurstPassesAndTheNextOnesWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, _ := newRate(t, 2, 3)
		start := time.Now()
		for i, want := range []time.Duration{0, 0, 0, second / 2, second, 3 * second / 2} {
			events, err := run(t.Context(), sp.OpExec, returns(nil), l)
			if took := time.Since(start); err != nil || took != want {
				t.Errorf("call %d: after %v, error %v; want %v", i, took, err, want)
			}
			e, waited := eventOf(events, sp.EventQueued)
			if waited != (want > 0) || waited && (e.Delay != second/2 || e.Detail != "rate limit") {
				t.Errorf("call %d: events %v", i, events)
			}
		}
		time.Sleep(time.Hour) // more than a burst is never saved up
		for range 3 {
			_, _ = run(t.Context(), sp.OpExec, returns(nil), l)
		}
		if events, _ := run(t.Context(), sp.OpExec, returns(nil), l); len(events) != 1 {
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
			l, err := middleware.RateLimit(rate, burst, middleware.WithMaxWait(ms(patience)))
			if err != nil {
				rt.Fatal(err)
			}
			h := sp.NewChain(l).Then(sp.Perform)
			tokens := float64(burst)
			var wg sync.WaitGroup
			for _, gap := range gaps {
				time.Sleep(ms(gap))
				tokens = min(tokens+float64(gap)/float64(each), float64(burst))
				want := ms(int(math.Round((1 - tokens) * float64(each))))
				passes := want <= ms(patience)
				if passes {
					tokens--
				}
				wg.Go(func() {
					start := time.Now()
					_, err := newCall(context.Background(), sp.OpExec, returns(nil)).Run(context.Background(), h)
					took := time.Since(start)
					refusal, refused := errors.AsType[*middleware.RateLimitError](err)
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
		visits := rapid.SliceOfN(rapid.Custom(drawVisit), 2, 20).Draw(rt, "visits")
		var mu sync.Mutex
		var starts []time.Time
		synctest.Test(t, func(*testing.T) {
			l, err := middleware.RateLimit(100, burst)
			if err != nil {
				rt.Fatal(err)
			}
			h := sp.NewChain(l).Then(sp.Perform)
			var wg sync.WaitGroup
			for _, v := range visits {
				wg.Go(func() {
					time.Sleep(ms(v.at))
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if v.cancel != 0 {
						time.AfterFunc(ms(v.cancel), cancel)
					}
					_, _ = newCall(ctx, sp.OpExec, &script{do: func(context.Context, *sp.Call) error {
						mu.Lock()
						defer mu.Unlock()
						starts = append(starts, time.Now())
						return nil
					}}).Run(ctx, h)
				})
			}
			wg.Wait()
		})
		slices.SortFunc(starts, time.Time.Compare)
		for i := range starts {
			for j := i + burst; j < len(starts); j++ {
				if span := starts[j].Sub(starts[i]); span < ms(10*(j-i+1-burst)) {
					rt.Fatalf("%d calls in %v", j-i+1, span)
				}
			}
		}
	})
}

func TestACallThatWouldComeTooLateIsRefusedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, h := newRate(t, 1, 1, middleware.WithName("reports"))
		_, _ = run(t.Context(), sp.OpExec, returns(nil), l)
		for _, c := range []struct {
			within time.Duration
			reason middleware.LimitReason
			text   string
		}{
			{second / 2, middleware.LimitDeadline, "middleware: exec: reports: limit of 1 calls per second: a wait of 1s would outlast the deadline"},
			{second, middleware.LimitDeadline, "middleware: exec: reports: limit of 1 calls per second: a wait of 1s would outlast the deadline"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			op := returns(nil)
			events, err := run(ctx, sp.OpExec, op, l)
			refusal, ok := errors.AsType[*middleware.RateLimitError](err)
			if !ok || refusal.Reason != c.reason || err.Error() != c.text || !errors.Is(err, fault.ErrRejected) || op.performs != 0 {
				t.Errorf("within %v: %v", c.within, err)
			}
			if e, ok := eventOf(events, sp.EventRejected); !ok || e.Err != err || e.Detail != string(c.reason) {
				t.Errorf("events %v", events)
			}
			if admit := l.Admit(ctx, newCall(ctx, sp.OpExec, nil)); admit == nil || admit.Error() != c.text {
				t.Errorf("Admit() = %v", admit)
			}
		}
		start := time.Now()
		go func() { _, _ = newCall(t.Context(), sp.OpExec, returns(nil)).Run(t.Context(), h) }()
		synctest.Wait()
		_, err := run(t.Context(), sp.OpExec, returns(nil), l)
		refusal, ok := errors.AsType[*middleware.RateLimitError](err)
		if !ok || refusal.Reason != middleware.LimitMaxWait || refusal.RetryAfter != 2*second || time.Since(start) != 0 {
			t.Errorf("after %v: %v, want a refusal at once: two seconds are longer than one", time.Since(start), err)
		}
	})
}

func TestAdmitNeitherWaitsNorTakesAToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, _ := newRate(t, 1, 1)
		call := newCall(t.Context(), sp.OpExec, nil)
		for range 3 {
			if err := l.Admit(t.Context(), call); err != nil {
				t.Fatal(err)
			}
		}
		if events, err := run(t.Context(), sp.OpExec, returns(nil), l); err != nil || len(events) != 0 {
			t.Errorf("error %v, events %v", err, events)
		}
		if err := l.Admit(t.Context(), newCall(t.Context(), sp.OpCommit, nil)); err != nil {
			t.Errorf("COMMIT: %v", err)
		}
	})
}

func TestATokenThatNobodyUsedGoesToTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, h := newRate(t, 1, 1)
		_, _ = run(t.Context(), sp.OpExec, returns(nil), l)
		ctx, cancel := context.WithCancel(t.Context())
		op := returns(nil)
		call := newCall(ctx, sp.OpExec, op)
		time.AfterFunc(second/4, cancel)
		_, err := call.Run(ctx, h)
		if v := call.Verdict(err); !errors.Is(err, context.Canceled) || op.performs != 0 || v.Class != fault.ClassCanceled || v.Outcome != fault.OutcomeNotSent {
			t.Errorf("error %v, verdict %+v", err, v)
		}
		start := time.Now()
		if _, err := run(t.Context(), sp.OpExec, returns(nil), l); err != nil || time.Since(start) != 3*second/4 {
			t.Errorf("after %v, error %v; want the token of the one that gave up", time.Since(start), err)
		}
		if _, err := newCall(ctx, sp.OpExec, op).Run(ctx, h); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that had given up before: %v", err)
		}
	})
}

func TestATransactionCountsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, h := newRate(t, 1, 1)
		unit := newCall(t.Context(), sp.OpTransaction, nil)
		start := time.Now()
		_, _ = run(t.Context(), sp.OpTransaction, returns(nil), l)
		inside := sp.ContextWithCall(t.Context(), unit)
		for _, op := range []sp.Op{sp.OpBegin, sp.OpExec, sp.OpCommit} {
			_, _ = newCall(inside, op, returns(nil)).Run(inside, h)
		}
		inTx := newCall(t.Context(), sp.OpExec, returns(nil))
		inTx.InTx = true
		_, _ = inTx.Run(t.Context(), h)
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v inside", took)
		}
	})
}

func TestRateLimitRefusesBadValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		perSecond float64
		burst     int
	}{{0, 1}, {-1, 1}, {math.NaN(), 1}, {math.Inf(1), 1}, {2e9, 1}, {1, 0}, {1e-6, 1000}, {1, math.MaxInt}, {math.SmallestNonzeroFloat64, 1}} {
		if l, err := middleware.RateLimit(c.perSecond, c.burst); err == nil || l != nil {
			t.Errorf("RateLimit(%v, %v) = %v, %v; want an error", c.perSecond, c.burst, l, err)
		}
	}
	for want, o := range map[string]middleware.RateLimitOption{
		"middleware: WithMaxWait(-1s): want 0 or more":              middleware.WithMaxWait(-second),
		`middleware: WithName(""): want a name`:                     middleware.WithName(""),
		"middleware: WithMeterProvider(nil): want a meter provider": middleware.WithMeterProvider(nil),
		"middleware: make a counter: no such instrument":            middleware.WithMeterProvider(&meters{fail: "sessionproxy.rate_limit.rejected"}),
	} {
		if l, err := middleware.RateLimit(1, 1, o); err == nil || err.Error() != want || l != nil {
			t.Errorf("RateLimit = %v, %v; want the error %q", l, err, want)
		}
	}
	if _, err := middleware.RateLimit(1e9, 1, nil); err != nil {
		t.Errorf("the highest rate: %v", err)
	}
}

func TestRefusalsOfARateAreMeasured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := new(meters)
		l, h := newRate(t, 1, 1, middleware.WithMeterProvider(m))
		_, _ = run(t.Context(), sp.OpExec, returns(nil), l)
		go func() { _, _ = newCall(t.Context(), sp.OpExec, returns(nil)).Run(t.Context(), h) }()
		synctest.Wait()
		_, _ = run(t.Context(), sp.OpExec, returns(nil), l)
		m.same(t, map[string]int64{
			"sessionproxy.rate_limit.queue":                                            1,
			"sessionproxy.rate_limit.rejected sessionproxy.rate_limit.reason=max_wait": 1,
		})
	})
}
