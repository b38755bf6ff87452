package logging_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
)

func TestEventsAreLoggedAsTheyHappen(t *testing.T) {
	t.Parallel()
	report := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.Event(sp.Event{Kind: sp.EventBreaker, Detail: "open", Err: linktest.ErrDriver})
			call.Event(sp.Event{Kind: sp.EventRetry, Attempt: 1, Delay: time.Second, Err: linktest.ErrSerialization})
			return next(ctx, call)
		}
	})
	logs, r := logTo(t, slog.LevelDebug)
	_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), logs, report)
	got := r.Take()
	if len(got) != 3 || got[0].Level != slog.LevelWarn || got[1].Level != slog.LevelDebug {
		t.Fatalf("records %+v, want a warning, and two at debug level", got)
	}
	sameAttrs(t, got[0].Attrs, map[string]any{
		"event.name": "breaker.state", "sessionproxy.detail": "open", "db.system.name": "other_sql",
		"error.type": "_OTHER", "sessionproxy.fault.class": "unknown",
	})
	sameAttrs(t, got[1].Attrs, map[string]any{
		"event.name": "retry", "sessionproxy.attempt": int64(1), "sessionproxy.delay": 1.0, "db.system.name": "other_sql",
		"error.type": "40001", "sessionproxy.fault.class": "serialization",
	})

	logs, r = logTo(t, slog.LevelWarn)
	_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), logs, report)
	if got := linktest.Lone(t, r); got.Attrs["event.name"] != "breaker.state" {
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
		logs, r := logTo(t, level)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), late, logs)
				}
			})
		}
		wg.Wait()
		events := 0
		for _, l := range r.Take() {
			if l.Attrs["event.name"] == "breaker.state" {
				events++
			}
		}
		if events != 0 {
			t.Errorf("%v: %d events, want none", level, events)
		}
	}
}

func TestRecordsThatRepeatEachOtherAreLeftOut(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		logs, r := logTo(t, slog.LevelDebug, logging.WithSampling(2, 10))
		h := sp.NewChain(logs).Then(attach.Perform)
		fail := func(n int, err error) {
			for range n {
				_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(err)), h)
			}
		}
		fail(25, linktest.ErrUnique) // 1, 2, 12, 22
		fail(1, linktest.ErrSerialization)
		fail(20, nil)
		var suppressed []any
		for _, l := range r.Take() {
			if l.Attrs["error.type"] == "23505" {
				suppressed = append(suppressed, l.Attrs["sessionproxy.suppressed"])
			}
		}
		if len(suppressed) != 4 || suppressed[0] != nil || suppressed[2] != int64(9) || suppressed[3] != int64(9) {
			t.Errorf("suppressed %v, want none, none, 9 and 9", suppressed)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		fail(1, linktest.ErrUnique)
		if got := linktest.Lone(t, r).Attrs["sessionproxy.suppressed"]; got != int64(3) {
			t.Errorf("in the next second %v were suppressed, want 3", got)
		}
	})
}

func TestEverySuccessIsLogged(t *testing.T) {
	t.Parallel()
	logs, r := logTo(t, slog.LevelDebug, logging.WithSampling(1, 0))
	h := sp.NewChain(logs).Then(attach.Perform)
	for range 50 {
		_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil)), h)
	}
	if n := len(r.Take()); n != 50 {
		t.Errorf("%d records of 50 successes", n)
	}
}

func TestWithoutSamplingEveryFailureIsLogged(t *testing.T) {
	t.Parallel()
	logs, r := logTo(t, slog.LevelDebug, logging.WithoutSampling())
	h := sp.NewChain(logs).Then(attach.Perform)
	for range 50 {
		_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(linktest.ErrUnique)), h)
	}
	if n := len(r.Take()); n != 50 {
		t.Errorf("%d records of 50 failures", n)
	}
}
