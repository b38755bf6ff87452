package tracing_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

func TestOneInterceptorServesManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	r, m := &recorder{}, &meter{}
	h := sp.NewChain(newTracing(t, r, tracing.WithMeterProvider(m)), retrying(2)).Then(attach.Perform)
	const workers, calls = 8, 100
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range calls {
				c := call(sp.OpExec, "DELETE FROM t"+strconv.Itoa(i%7))
				if i%3 == 0 {
					failing(c, stateError("40001"))
				}
				if w%2 == 0 {
					c.Target = &sp.Target{System: sp.SQLite, Namespace: "w" + strconv.Itoa(w)}
				}
				_, _ = attach.Run(t.Context(), c, h)
			}
		})
	}
	wg.Wait()
	spans := r.all()
	if len(spans) != workers*calls || len(m.all(durationMetric)) != workers*calls {
		t.Fatalf("got %d spans and %d measurements, want %d", len(spans), len(m.all(durationMetric)), workers*calls)
	}
	for _, s := range spans {
		if s.ends != 1 || s.late != 0 {
			t.Fatalf("ended %d times, changed %d times after its end:\n%s", s.ends, s.late, s.dump())
		}
	}
}

// forking is an operation that can be performed several times at once.
type forking struct{ operation }

func (f *forking) Fork() attach.Performer { return f }
func (*forking) Adopt(attach.Performer)   {}

// hedging performs a call twice at once and keeps the first outcome.
func hedging(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		forks, errs := [2]*sp.Call{}, [2]error{}
		var wg sync.WaitGroup
		for i := range forks {
			fork, ok := call.Fork()
			if !ok {
				return next(ctx, call)
			}
			forks[i] = fork
			wg.Go(func() {
				fork.Event(sp.Event{Kind: sp.EventQueued, Detail: "test", Err: stateError("40001")})
				errs[i] = fork.Try(ctx, next)
			})
		}
		wg.Wait()
		call.Adopt(forks[0])
		call.Abandon(forks[1], context.Canceled)
		return errs[0]
	}
}

func TestConcurrentAttempts(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	c := call(sp.OpQuery, "SELECT 1")
	attach.Reset(c, &forking{})
	c.Op, c.Text = sp.OpQuery, "SELECT 1"
	_, err := run(t.Context(), c, newTracing(t, r), sp.InterceptorFunc(hedging), newTracing(t, r))
	if err != nil {
		t.Fatal(err)
	}
	spans := r.all()
	if len(spans) != 3 {
		t.Fatalf("got %d spans, want the operation's and two attempts", len(spans))
	}
	for i, s := range spans {
		if s.ends != 1 {
			t.Errorf("span %d ended %d times", i, s.ends)
		}
	}
	if got := len(spans[0].events); got != 2 {
		t.Errorf("the operation's span has %d events, want 2", got)
	}
}
