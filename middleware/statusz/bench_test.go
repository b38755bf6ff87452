package statusz_test

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// reused returns a function that runs one call over and over through the
// interceptors, as an attachment does.
func reused(ctx context.Context, do script, op sp.Op, links ...sp.Interceptor) func() {
	h := sp.NewChain(links...).Then(attach.Perform)
	call := new(sp.Call)
	return func() {
		attach.Reset(call, do)
		call.Op, call.Text, call.Target = op, "SELECT name FROM users WHERE id = $1", orders
		attach.Bind(ctx, call)
		if open, _ := attach.Run(ctx, call, h); open {
			attach.Finish(call, nil)
		}
	}
}

func TestAllocations(t *testing.T) {
	p := newPage(t)
	for _, c := range []struct {
		name  string
		do    script
		op    sp.Op
		links []sp.Interceptor
	}{
		{"statement", returns(nil), sp.OpExec, []sp.Interceptor{p}},
		{"marked innermost", returns(nil), sp.OpExec, []sp.Interceptor{p, p.Innermost()}},
		{"rows", opens, sp.OpQuery, []sp.Interceptor{p, p.Innermost()}},
		{"begin", opens, sp.OpBegin, []sp.Interceptor{p}},
		{"commit", returns(nil), sp.OpCommit, []sp.Interceptor{p}},
		{"unit", returns(nil), sp.OpTransaction, []sp.Interceptor{p}},
	} {
		call := reused(t.Context(), c.do, c.op, c.links...)
		call() // the page sees the statement for the first time
		if n := alloctest.PerRun(100, call); n > alloctest.Lost {
			t.Errorf("%s: %v allocations per call", c.name, n)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	p := newPage(b)
	for _, c := range []struct {
		name  string
		do    script
		op    sp.Op
		links []sp.Interceptor
	}{
		{"without", returns(nil), sp.OpExec, nil},
		{"statement", returns(nil), sp.OpExec, []sp.Interceptor{p}},
		{"marked", returns(nil), sp.OpExec, []sp.Interceptor{p, p.Innermost()}},
		{"rows", opens, sp.OpQuery, []sp.Interceptor{p}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			call := reused(b.Context(), c.do, c.op, c.links...)
			for b.Loop() {
				call()
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				call := reused(b.Context(), c.do, c.op, c.links...)
				for pb.Next() {
					call()
				}
			})
		})
	}
}
