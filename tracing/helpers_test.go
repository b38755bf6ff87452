package tracing_test

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// operation performs a call by a function.
type operation struct {
	do     func(ctx context.Context, call *sp.Call) error
	settle func(err error)
}

func (o *operation) Do(ctx context.Context, call *sp.Call) error {
	if o.do == nil {
		return nil
	}
	return o.do(ctx, call)
}

func (o *operation) Finalize(err error) {
	if o.settle != nil {
		o.settle(err)
	}
}

// orders is the target of most tests.
var orders = &sp.Target{System: sp.PostgreSQL, Host: "db.example", Port: 5433, Namespace: "shop|public", User: "clerk"}

// newTracing returns an interceptor that makes spans with r.
func newTracing(t testing.TB, r *recorder, opts ...tracing.Option) *tracing.Tracing {
	t.Helper()
	tr, err := tracing.New(append([]tracing.Option{tracing.WithTracerProvider(r)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// call describes a call of op.
func call(op sp.Op, text string) *sp.Call {
	c := new(sp.Call)
	attach.Reset(c, &operation{})
	c.Op, c.Text, c.Target = op, text, orders
	if op.Session() {
		c.Level = sp.LevelSession
	}
	return c
}

// doing sets what performing the call does.
func doing(c *sp.Call, do func(ctx context.Context, call *sp.Call) error) *sp.Call {
	attach.PerformerOf(c).(*operation).do = do
	return c
}

// failing makes performing the call fail.
func failing(c *sp.Call, err error) *sp.Call {
	return doing(c, func(context.Context, *sp.Call) error { return err })
}

// run passes the call through a chain of the interceptors.
func run(ctx context.Context, c *sp.Call, links ...sp.Interceptor) (open bool, err error) {
	return attach.Run(ctx, c, sp.NewChain(links...).Then(attach.Perform))
}

// only returns the one span that was made.
func only(t testing.TB, r *recorder) *span {
	t.Helper()
	spans := r.all()
	if len(spans) != 1 {
		t.Fatalf("got %d spans, want 1", len(spans))
	}
	return spans[0]
}

// observed runs the call under a new interceptor and returns its span.
func observed(t testing.TB, c *sp.Call, opts ...tracing.Option) *span {
	t.Helper()
	r := &recorder{}
	_, _ = run(t.Context(), c, newTracing(t, r, opts...))
	s := only(t, r)
	if s.ends != 1 || s.late != 0 {
		t.Fatalf("span %q: ended %d times, changed %d times after its end", s.name, s.ends, s.late)
	}
	return s
}
