package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

// newLimit returns a Limiter and a handler of a chain of nothing else.
func newLimit(t testing.TB, n int, opts ...limit.Option) (*limit.Limiter, sp.Handler) {
	t.Helper()
	l, err := limit.New(n, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l, sp.NewChain(l).Then(attach.Perform)
}

// inUse fails the test unless so many permits are taken and so many calls wait.
func inUse(t *testing.T, l *limit.Limiter, permits, waiting int) {
	t.Helper()
	if s := l.Stats(); s.InUse != permits || s.Waiting != waiting {
		t.Errorf("%d permits are taken and %d calls wait, want %d and %d", s.InUse, s.Waiting, permits, waiting)
	}
}

// hold takes a permit until the function returned is called.
func hold(t *testing.T, h sp.Handler) (finish func()) {
	t.Helper()
	call := linktest.NewCall(t.Context(), sp.OpQuery, linktest.Opens())
	if open, err := attach.Run(t.Context(), call, h); !open || err != nil {
		t.Fatalf("Run() = %v, %v", open, err)
	}
	return func() { attach.Finish(call, nil) }
}

func TestAPermitLivesAsLongAsTheResult(t *testing.T) {
	t.Parallel()
	l, h := newLimit(t, 2)
	for _, op := range []sp.Op{sp.OpQuery, sp.OpBegin, sp.OpBatch} {
		call := linktest.NewCall(t.Context(), op, linktest.Opens())
		if open, err := attach.Run(t.Context(), call, h); !open || err != nil {
			t.Fatalf("%v: Run() = %v, %v", op, open, err)
		}
		inUse(t, l, 1, 0)
		attach.Finish(call, linktest.ErrDriver)
		inUse(t, l, 0, 0)
	}
	for _, err := range []error{nil, linktest.ErrDriver} {
		_, _ = linktest.Run(t.Context(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
			inUse(t, l, 1, 0)
			return err
		}}, l)
		inUse(t, l, 0, 0)
	}
}

func TestWhatTakesAPermit(t *testing.T) {
	t.Parallel()
	l, h := newLimit(t, 1)
	above := func(op sp.Op) context.Context {
		return attach.Context(t.Context(), linktest.NewCall(t.Context(), op, nil))
	}
	for _, c := range []struct {
		name  string
		ctx   context.Context
		op    sp.Op
		inTx  bool
		takes int
	}{
		{"a statement", t.Context(), sp.OpExec, false, 1},
		{"a unit of work", t.Context(), sp.OpTransaction, false, 1},
		{"a ping", t.Context(), sp.OpPing, false, 1},
		{"a session's statement", above(sp.SessionOp("flush")), sp.OpExec, false, 1},
		{"a session's transaction", above(sp.SessionOp("begin")), sp.OpBegin, false, 1},
		{"a session's method", t.Context(), sp.SessionOp("flush"), false, 0},
		{"a statement in a transaction", t.Context(), sp.OpExec, true, 0},
		{"a statement in a unit", above(sp.OpTransaction), sp.OpExec, false, 0},
		{"BEGIN in a unit", above(sp.OpTransaction), sp.OpBegin, false, 0},
		{"a unit in a unit", above(sp.OpTransaction), sp.OpTransaction, false, 0},
		{"a step", above(sp.OpQuery), sp.OpQuery, false, 0},
		{"connecting", t.Context(), sp.OpConnect, false, 0},
		{"taking a connection", t.Context(), sp.OpAcquire, false, 0},
		{"closing a connection", t.Context(), sp.OpClose, false, 0},
		{"COMMIT", t.Context(), sp.OpCommit, false, 0},
		{"ROLLBACK", t.Context(), sp.OpRollback, false, 0},
	} {
		taken := -1
		call := linktest.NewCall(c.ctx, c.op, &linktest.Script{Act: func(context.Context, *sp.Call) error {
			taken = l.Stats().InUse
			return nil
		}})
		call.InTx = c.inTx
		if _, err := attach.Run(c.ctx, call, h); err != nil || taken != c.takes {
			t.Errorf("%s: took %d permits, error %v; want %d", c.name, taken, err, c.takes)
		}
	}
}

func TestFirstComeFirstServed(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1)
		finish := hold(t, h)
		var served []int
		for i := range 5 {
			go func() {
				_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
					served = append(served, i) // one at a time: the limit is 1
					return nil
				}}), h)
			}()
			synctest.Wait()
		}
		inUse(t, l, 1, 5)
		finish()
		synctest.Wait()
		if fmt.Sprint(served) != "[0 1 2 3 4]" {
			t.Errorf("served in the order %v", served)
		}
		inUse(t, l, 0, 0)
	})
}

func TestTheWaitIsReported(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1)
		time.AfterFunc(time.Second, hold(t, h))
		events, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		if e, ok := linktest.EventOf(events, sp.EventQueued); err != nil || !ok || e.Delay != time.Second || e.Detail != "limit" {
			t.Errorf("error %v, events %v; want a wait of a second", err, events)
		}
		if events, _ := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l); len(events) != 0 {
			t.Errorf("events %v of a call that did not wait", events)
		}
	})
}

// refusedFor fails the test unless err is a refusal for the reason.
func refusedFor(t *testing.T, err error, reason limit.Reason) {
	t.Helper()
	refusal, ok := errors.AsType[*limit.Error](err)
	if !ok || refusal.Reason != reason || !errors.Is(err, fault.ErrRejected) {
		t.Errorf("error %v, want a refusal: %s", err, reason)
	}
}

func TestAFullQueueRefuses(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1, limit.WithQueue(1), limit.WithName("reports"))
		finish := hold(t, h)
		go func() {
			_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil)), h)
		}()
		synctest.Wait()

		op := linktest.Returns(nil)
		events, err := linktest.Run(t.Context(), sp.OpExec, op, l)
		refusedFor(t, err, limit.QueueFull)
		if want := "limit: exec: reports: limit of 1 calls at once: the queue of 1 is full"; err == nil || err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		if e, ok := linktest.EventOf(events, sp.EventRejected); !ok || e.Err != err || e.Detail != "queue_full" || op.Performed != 0 {
			t.Errorf("events %v, performed %d times", events, op.Performed)
		}
		call := linktest.NewCall(t.Context(), sp.OpExec, nil)
		refusedFor(t, l.Admit(t.Context(), call), limit.QueueFull)
		if v := call.Verdict(err); v.Class != fault.ClassRejected || v.Retry != fault.RetryNone || v.Breaker != fault.BreakerExclude {
			t.Errorf("verdict %+v", v)
		}
		finish()
		synctest.Wait()
		if s := l.Stats(); s.Rejected != 1 || s.Name != "reports" || s.Limit != 1 || s.Queue != 1 {
			t.Errorf("stats %+v", s)
		}
		if err := l.Admit(t.Context(), call); err != nil {
			t.Errorf("with free permits: %v", err)
		}
	})
}

func TestADeadlineThatCannotBeMetIsRefusedAtOnce(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		// Each call holds its permit for a second, and four wait.
		l, h := newLimit(t, 1)
		time.AfterFunc(time.Second, hold(t, h))
		slow := &linktest.Script{Act: func(context.Context, *sp.Call) error { time.Sleep(time.Second); return nil }}
		for range 5 {
			go func() { _, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, slow), h) }()
		}
		time.Sleep(3 * time.Second / 2)
		inUse(t, l, 1, 4)

		start := time.Now()
		near, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := linktest.Run(near, sp.OpExec, linktest.Returns(nil), l)
		refusedFor(t, err, limit.Deadline)
		refusedFor(t, l.Admit(near, linktest.NewCall(near, sp.OpExec, nil)), limit.Deadline)
		if took := time.Since(start); took != 0 {
			t.Errorf("it waited %v first", took)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the deadline has not passed")
		}

		far, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		if _, err := linktest.Run(far, sp.OpExec, linktest.Returns(nil), l); err != nil {
			t.Errorf("a deadline that can be met: %v", err)
		}
		if took := time.Since(start); took != 9*time.Second/2 {
			t.Errorf("waited %v", took)
		}
	})
}

func TestThePaceOfAnEarlierCrowdIsForgotten(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1, limit.WithMaxWait(24*time.Hour))
		time.AfterFunc(time.Hour, hold(t, h))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		hour := &linktest.Script{Act: func(context.Context, *sp.Call) error { time.Sleep(time.Hour); return nil }}
		if _, err := linktest.Run(ctx, sp.OpExec, hour, l); err != nil {
			t.Fatal(err)
		}
		finish := hold(t, h)
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.AfterFunc(time.Second/2, finish)
		if _, err := linktest.Run(soon, sp.OpExec, linktest.Returns(nil), l); err != nil {
			t.Errorf("refused for what was long ago: %v", err)
		}
	})
}

func TestTheLongestWait(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1, limit.WithMaxWait(time.Second))
		finish := hold(t, h)
		start := time.Now()
		_, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		refusedFor(t, err, limit.MaxWait)
		if took := time.Since(start); took != time.Second {
			t.Errorf("waited %v", took)
		}
		inUse(t, l, 1, 0)
		finish()
		inUse(t, l, 0, 0)

		l, h = newLimit(t, 1, limit.WithMaxWait(0))
		defer hold(t, h)()
		_, err = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		refusedFor(t, err, limit.MaxWait)
		if took := time.Since(start); took != time.Second {
			t.Error("it waited all the same")
		}
	})
}

func TestACallerThatGivesUpLeavesTheQueue(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		l, h := newLimit(t, 1)
		finish := hold(t, h)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		op := linktest.Returns(nil)
		call := linktest.NewCall(ctx, sp.OpExec, op)
		_, err := attach.Run(ctx, call, h)
		if !errors.Is(err, context.Canceled) || errors.Is(err, fault.ErrRejected) || op.Performed != 0 {
			t.Errorf("error %v, performed %d times", err, op.Performed)
		}
		if v := call.Verdict(err); v.Class != fault.ClassCanceled || v.Outcome != fault.OutcomeNotSent {
			t.Errorf("verdict %+v", v)
		}
		inUse(t, l, 1, 0)
		_, err = attach.Run(ctx, linktest.NewCall(ctx, sp.OpExec, op), h)
		if !errors.Is(err, context.Canceled) || l.Stats().Rejected != 0 {
			t.Errorf("one that had given up before: %v, or it counts as refused", err)
		}
		finish()
		inUse(t, l, 0, 0)
	})
}

func TestPanicsAndGoexitGiveThePermitBack(t *testing.T) {
	t.Parallel()
	l, h := newLimit(t, 1)
	for _, end := range []func(){func() { panic("driver") }, runtime.Goexit} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
				end()
				return nil
			}}), h)
		}()
		<-done
		inUse(t, l, 0, 0)
	}
}

func TestInsideARetryEachAttemptTakesAPermit(t *testing.T) {
	t.Parallel()
	l, _ := newLimit(t, 1)
	between := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			for range 2 {
				_ = call.Try(ctx, next)
				inUse(t, l, 0, 0)
			}
			return linktest.ErrDriver
		}
	})
	op := linktest.Returns(linktest.ErrDriver)
	_, _ = linktest.Run(t.Context(), sp.OpExec, op, between, l)
	if op.Performed != 2 {
		t.Errorf("performed %d times", op.Performed)
	}

	keeps := &linktest.Script{Act: func(context.Context, *sp.Call) error {
		inUse(t, l, 1, 0)
		return linktest.ErrDriver
	}}
	_, _ = linktest.Run(t.Context(), sp.OpExec, keeps, l, linktest.Retrying(3))
	if inUse(t, l, 0, 0); keeps.Performed != 3 {
		t.Errorf("performed %d times", keeps.Performed)
	}
}

func TestALimitThatThePoolMakesUselessIsWarnedOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit, size int
		warns       bool
	}{{9, 10, false}, {10, 10, true}, {11, 10, true}} {
		var out strings.Builder
		newLimit(t, c.limit, limit.WithName("reports"), limit.WithPoolSize(c.size, slog.New(slog.NewTextHandler(&out, nil))))
		if warned := strings.Contains(out.String(), "level=WARN") && strings.Contains(out.String(), fmt.Sprintf("limit=%d pool_size=10 name=reports", c.limit)); warned != c.warns {
			t.Errorf("a limit of %d, a pool of %d: %q", c.limit, c.size, out.String())
		}
	}
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, construct := range map[string]func() (*limit.Limiter, error){
		"limit: New(0): want more than 0":                            func() (*limit.Limiter, error) { return limit.New(0) },
		"limit: WithQueue(-1): want 0 or more":                       limitWith(limit.WithQueue(-1)),
		"limit: WithMaxWait(-1s): want 0 or more":                    limitWith(limit.WithMaxWait(-time.Second)),
		"limit: WithPoolSize(0): want more than 0":                   limitWith(limit.WithPoolSize(0, slog.Default())),
		"limit: WithPoolSize: want a logger":                         limitWith(limit.WithPoolSize(1, nil)),
		`limit: WithName(""): want a name`:                           limitWith(limit.WithName("")),
		"limit: WithMeterProvider(nil): want a meter provider":       limitWith(limit.WithMeterProvider(nil)),
		"limit: make a counter: no such instrument":                  limitWith(limit.WithMeterProvider(&linktest.Meters{Fail: "sessionproxy.limit.rejected"})),
		"limit: make a counter of waiting calls: no such instrument": limitWith(limit.WithMeterProvider(&linktest.Meters{Fail: "sessionproxy.limit.queue"})),
	} {
		if l, err := construct(); err == nil || err.Error() != want || l != nil {
			t.Errorf("Limit = %v, %v; want the error %q", l, err, want)
		}
	}
	if _, err := limit.New(1, nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}

func limitWith(o limit.Option) func() (*limit.Limiter, error) {
	return func() (*limit.Limiter, error) { return limit.New(1, o) }
}

func TestRefusalsAndTheQueueAreMeasured(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		m := new(linktest.Meters)
		l, h := newLimit(t, 1, limit.WithQueue(1), limit.WithName("reports"), limit.WithMeterProvider(m))
		finish := hold(t, h)
		go func() {
			_, _ = attach.Run(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil)), h)
		}()
		synctest.Wait()
		_, _ = linktest.Run(t.Context(), sp.OpExec, linktest.Returns(nil), l)
		_ = l.Admit(t.Context(), linktest.NewCall(t.Context(), sp.OpExec, nil))
		m.Same(t, map[string]int64{
			"sessionproxy.limit.queue sessionproxy.limit.name=reports":                                         1,
			"sessionproxy.limit.rejected sessionproxy.limit.name=reports,sessionproxy.limit.reason=queue_full": 1,
		})
		finish()
		synctest.Wait()
	})
}
