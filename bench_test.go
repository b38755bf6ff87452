package sessionproxy_test

import (
	"context"
	"fmt"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// BenchmarkChain shows what the pipeline itself costs, by the number of
// interceptors that do nothing.
func BenchmarkChain(b *testing.B) {
	pass := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error { return next(ctx, call) }
	})
	for _, n := range []int{0, 1, 2, 4, 8} {
		b.Run(fmt.Sprintf("%d interceptors", n), func(b *testing.B) {
			chain := sp.Chain{}
			for range n {
				chain = chain.Append(pass)
			}
			h := chain.Then(attach.Perform)
			call, op, ctx := new(sp.Call), &script{}, context.Background()
			b.ReportAllocs()
			for b.Loop() {
				attach.Reset(call, op)
				attach.Bind(ctx, call)
				if _, err := attach.Run(ctx, call, h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
