package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// silent opens rows that hold nothing.
type silent struct{ rows bool }

func (s *silent) Do(_ context.Context, call *sp.Call) error {
	if s.rows {
		attach.KeepOpen(call)
	}
	return nil
}

// cycle returns a function that makes a call through h again and again, as an
// attachment does with a pooled one.
func cycle(h sp.Handler, op sp.Op) func() {
	call, do := new(sp.Call), &silent{rows: op == sp.OpQuery}
	ctx := context.Background()
	return func() {
		attach.Reset(call, do)
		call.Op, call.Target = op, target
		if open, err := attach.Run(ctx, call, h); open && err == nil {
			attach.Finish(call, nil)
		}
	}
}

func TestACallThroughAClosedCircuitAllocatesNothing(t *testing.T) {
	for name, opts := range map[string][]breaker.Option{
		"plain": nil,
		"slow":  {breaker.WithSlowCalls(time.Second, 0.5)},
	} {
		r := newRig(t, opts...)
		for _, op := range []sp.Op{sp.OpExec, sp.OpQuery, sp.OpBegin, sp.OpCommit, sp.OpTransaction} {
			if n := alloctest.PerRun(1000, cycle(r.handler, op)); n != 0 {
				t.Errorf("%s: %v allocates %v times per call", name, op, n)
			}
		}
	}
}

func TestARefusalAllocatesItsErrorOnly(t *testing.T) {
	r := newRig(t, breaker.WithOpenTime(time.Hour))
	r.open()
	if n := alloctest.PerRun(1000, cycle(r.handler, sp.OpExec)); n > 1 {
		t.Errorf("a refused call allocates %v times, want at most 1", n)
	}
}

// BenchmarkClosed compares the breaker with gobreaker around the same call, in
// the closed state.
func BenchmarkClosed(b *testing.B) {
	settings := gobreaker.Settings{Interval: 10 * time.Second, BucketPeriod: time.Second}
	execute := gobreaker.NewCircuitBreaker[struct{}](settings)
	twoStep := gobreaker.NewTwoStepCircuitBreaker[struct{}](settings)
	chain := func(i ...sp.Interceptor) sp.Handler { return sp.NewChain(i...).Then(attach.Perform) }
	for _, c := range []struct {
		name    string
		handler sp.Handler
		op      sp.Op
	}{
		{"none", chain(), sp.OpExec},
		{"breaker", chain(newRig(b).Breaker), sp.OpExec},
		{"breaker_slow", chain(newRig(b, breaker.WithSlowCalls(time.Second, 1)).Breaker), sp.OpExec},
		{"gobreaker_Execute", chain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				_, err := execute.Execute(func() (struct{}, error) { return struct{}{}, next(ctx, call) })
				return err
			}
		})), sp.OpExec},
		{"gobreaker_TwoStep", chain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				done, err := twoStep.Allow()
				if err != nil {
					return err
				}
				err = next(ctx, call)
				done(err)
				return err
			}
		})), sp.OpExec},
		{"none_rows", chain(), sp.OpQuery},
		{"breaker_rows", chain(newRig(b).Breaker), sp.OpQuery},
	} {
		b.Run(c.name+"/seq", func(b *testing.B) {
			b.ReportAllocs()
			once := cycle(c.handler, c.op)
			for b.Loop() {
				once()
			}
		})
		b.Run(c.name+"/par", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				once := cycle(c.handler, c.op)
				for pb.Next() {
					once()
				}
			})
		})
	}
}

// BenchmarkOpen is the cost of a refusal.
func BenchmarkOpen(b *testing.B) {
	r := newRig(b, breaker.WithOpenTime(time.Hour))
	r.open()
	once := cycle(r.handler, sp.OpExec)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}

// BenchmarkFailure is the cost of a failure in the closed state, which walks
// the window.
func BenchmarkFailure(b *testing.B) {
	r := newRig(b)
	r.ForceClosed(target)
	call, do := new(sp.Call), answer(errRefused)
	for b.Loop() {
		attach.Reset(call, do)
		call.Op, call.Target = sp.OpExec, target
		_, _ = attach.Run(context.Background(), call, r.handler)
	}
}
