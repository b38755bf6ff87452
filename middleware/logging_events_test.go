package middleware_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware"
)

func TestEventsAreLoggedAsTheyHappen(t *testing.T) {
	t.Parallel()
	report := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.Event(sp.Event{Kind: sp.EventBreaker, Detail: "open", Err: errDriver})
			call.Event(sp.Event{Kind: sp.EventRetry, Attempt: 1, Delay: second, Err: serialization})
			return next(ctx, call)
		}
	})
	logging, r := logTo(t, slog.LevelDebug)
	_, _ = run(t.Context(), sp.OpExec, returns(nil), logging, report)
	got := r.take()
	if len(got) != 3 || got[0].level != slog.LevelWarn || got[1].level != slog.LevelDebug {
		t.Fatalf("records %+v, want a warning, and two at debug level", got)
	}
	sameAttrs(t, got[0].attrs, map[string]any{
		"event.name": "breaker.state", "sessionproxy.detail": "open", "db.system.name": "other_sql",
		"error.type": "_OTHER", "sessionproxy.fault.class": "unknown",
	})
	sameAttrs(t, got[1].attrs, map[string]any{
		"event.name": "retry", "sessionproxy.attempt": int64(1), "sessionproxy.delay": 1.0, "db.system.name": "other_sql",
		"error.type": "40001", "sessionproxy.fault.class": "serialization",
	})

	logging, r = logTo(t, slog.LevelWarn)
	_, _ = run(t.Context(), sp.OpExec, returns(nil), logging, report)
	if got := lone(t, r); got.attrs["event.name"] != "breaker.state" {
		t.Errorf("record %+v, want the breaker's", got)
	}
}

// TestEventsOfInterceptorsOutsideAreNotLogged is about those whose finish hooks
// run after that of Logging.
func TestEventsOfInterceptorsOutsideAreNotLogged(t *testing.T) {
	t.Parallel()
	late := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(error) { call.Event(sp.Event{Kind: sp.EventBreaker, Detail: "open"}) })
			return next(ctx, call)
		}
	})
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelWarn} {
		logging, r := logTo(t, level)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					_, _ = run(t.Context(), sp.OpExec, returns(nil), late, logging)
				}
			})
		}
		wg.Wait()
		events := 0
		for _, l := range r.take() {
			if l.attrs["event.name"] == "breaker.state" {
				events++
			}
		}
		if events != 0 {
			t.Errorf("%v: %d events, want none", level, events)
		}
	}
}

func TestRecordsThatRepeatEachOtherAreLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Now().Truncate(second).Add(second)))
		logging, r := logTo(t, slog.LevelDebug, middleware.WithSampling(2, 10))
		h := sp.NewChain(logging).Then(sp.Perform)
		fail := func(n int, err error) {
			for range n {
				_, _ = newCall(t.Context(), sp.OpExec, returns(err)).Run(t.Context(), h)
			}
		}
		fail(25, unique) // 1, 2, 12, 22
		fail(1, serialization)
		fail(20, nil)
		var suppressed []any
		for _, l := range r.take() {
			if l.attrs["error.type"] == "23505" {
				suppressed = append(suppressed, l.attrs["sessionproxy.suppressed"])
			}
		}
		if len(suppressed) != 4 || suppressed[0] != nil || suppressed[2] != int64(9) || suppressed[3] != int64(9) {
			t.Errorf("suppressed %v, want none, none, 9 and 9", suppressed)
		}
		time.Sleep(second)
		synctest.Wait()
		fail(1, unique)
		if got := lone(t, r).attrs["sessionproxy.suppressed"]; got != int64(3) {
			t.Errorf("in the next second %v were suppressed, want 3", got)
		}
	})
}

func TestEverySuccessIsLogged(t *testing.T) {
	t.Parallel()
	logging, r := logTo(t, slog.LevelDebug, middleware.WithSampling(1, 0))
	h := sp.NewChain(logging).Then(sp.Perform)
	for range 50 {
		_, _ = newCall(t.Context(), sp.OpExec, returns(nil)).Run(t.Context(), h)
	}
	if n := len(r.take()); n != 50 {
		t.Errorf("%d records of 50 successes", n)
	}
}

func TestWithoutSamplingEveryFailureIsLogged(t *testing.T) {
	t.Parallel()
	logging, r := logTo(t, slog.LevelDebug, middleware.WithoutSampling())
	h := sp.NewChain(logging).Then(sp.Perform)
	for range 50 {
		_, _ = newCall(t.Context(), sp.OpExec, returns(unique)).Run(t.Context(), h)
	}
	if n := len(r.take()); n != 50 {
		t.Errorf("%d records of 50 failures", n)
	}
}
