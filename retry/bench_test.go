package retry_test

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// direct is the cheapest core there is.
//
//go:noinline
func direct(context.Context, *sp.Call) error { return nil }

// reuse returns a function that runs one call over and over through h.
func reuse(ctx context.Context, h sp.Handler, shape func(*sp.Call)) func() {
	var call sp.Call
	op := always(nil)
	return func() {
		attach.Reset(&call, op)
		shape(&call)
		_ = h(ctx, &call)
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestACallThatSucceedsAtOnceAllocatesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	target := &sp.Target{System: sp.PostgreSQL, Host: "db"}
	for name, shape := range map[string]func(*sp.Call){"statement": exec, "unit": unit, "in a transaction": inTx} {
		if n := alloctest.PerRun(100, reuse(ctx, newRetry(t).Wrap(direct), at(target, shape))); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkSuccess(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	target := &sp.Target{System: sp.PostgreSQL, Host: "db"}
	spent := newBudget(b, retry.WithRefund(0))
	_, _ = run(ctx, eager(b, retry.WithBudget(spent)), &script{steps: fails(serialization)}, at(target, exec))
	for _, c := range []struct {
		name  string
		h     sp.Handler
		shape func(*sp.Call)
	}{
		{"direct", direct, exec},
		{"statement", newRetry(b).Wrap(direct), exec},
		{"statement, bucket not full", newRetry(b, retry.WithBudget(spent)).Wrap(direct), exec},
		{"statement, without budget", newRetry(b, retry.WithoutBudget()).Wrap(direct), exec},
		{"in a transaction", newRetry(b).Wrap(direct), inTx},
	} {
		shape := at(target, c.shape)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			perform := reuse(ctx, c.h, shape)
			for b.Loop() {
				perform()
			}
		})
	}
}
