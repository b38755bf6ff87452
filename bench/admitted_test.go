package bench

import (
	"context"
	"testing"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
)

// BenchmarkAdmitted is what a call costs that is let in without waiting, beside
// failsafe-go's policies of the same kind. Nothing is done but that.
func BenchmarkAdmitted(b *testing.B) {
	for _, pair := range []struct {
		name   string
		ours   func() (sp.Interceptor, error)
		theirs failsafe.Policy[any]
	}{
		{"limit", func() (sp.Interceptor, error) { return limit.New(1000) }, bulkhead.NewBuilder[any](1000).Build()},
		{
			"adaptive limit", func() (sp.Interceptor, error) { return adaptivelimit.New(adaptivelimit.WithInitial(100)) },
			adaptivelimiter.NewBuilder[any]().WithLimits(100, 200, 100).Build(),
		},
		{"throttle", func() (sp.Interceptor, error) { return throttle.New() }, adaptivethrottler.NewWithDefaults[any]()},
		{"breaker", func() (sp.Interceptor, error) { return breaker.New() }, circuitbreaker.NewWithDefaults[any]()},
	} {
		b.Run(pair.name, func(b *testing.B) {
			b.Run("sessionproxy", func(b *testing.B) { benchOurs(b, pair.ours) })
			b.Run("failsafe-go", func(b *testing.B) { benchTheirs(b, pair.theirs) })
		})
	}
}

// idle is an operation that does nothing.
type idle struct{}

// Do succeeds.
func (idle) Do(context.Context, *sp.Call) error { return nil }

func benchOurs(b *testing.B, link func() (sp.Interceptor, error)) {
	b.Helper()
	l, err := link()
	if err != nil {
		b.Fatal(err)
	}
	handler := sp.NewChain(l).Then(attach.Perform)
	target := &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5432, Namespace: "shop"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ctx, call := b.Context(), new(sp.Call)
		for pb.Next() {
			attach.Reset(call, idle{})
			call.Op, call.Scope, call.Target, call.Text = sp.OpExec, sp.ScopePool, target, "UPDATE t SET n = 1 WHERE id = 2"
			if _, err := attach.Run(ctx, call, handler); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func benchTheirs(b *testing.B, policy failsafe.Policy[any]) {
	b.Helper()
	executor := failsafe.With(policy)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		bound := executor.WithContext(b.Context())
		for pb.Next() {
			if err := bound.Run(func() error { return nil }); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
