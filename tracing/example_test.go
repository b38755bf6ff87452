package tracing_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// perform stands for an attachment, which makes a call of every operation and
// passes it through the chain of its handle.
func perform(ctx context.Context, chain sp.Chain, op sp.Op, text string) {
	c := new(sp.Call)
	attach.Reset(c, &operation{})
	c.Op, c.Text = op, text
	c.Target = &sp.Target{System: sp.PostgreSQL, Host: "db.internal", Port: 5432, Namespace: "shop"}
	attach.Bind(ctx, c)
	_, _ = attach.Run(ctx, c, chain.Then(attach.Perform))
}

func ExampleNew() {
	provider := &recorder{} // the SDK's, in a service
	tracer, err := tracing.New(tracing.WithTracerProvider(provider))
	if err != nil {
		fmt.Println(err)
		return
	}
	chain := sp.NewChain(tracer)

	ctx := context.Background()
	perform(ctx, chain, sp.OpBegin, "")
	perform(ctx, chain, sp.OpQuery, "SELECT name FROM customers WHERE id = $1")
	perform(ctx, chain, sp.OpExec, "UPDATE customers SET name = 'Ada' WHERE id = 7")
	perform(ctx, chain, sp.OpCommit, "")

	for _, s := range provider.all() {
		fmt.Printf("%s | %s\n", s.name, cmp.Or(s.attr("db.query.text"), "no text"))
	}
	// Output:
	// BEGIN shop | no text
	// SELECT customers | SELECT name FROM customers WHERE id = $1
	// UPDATE customers | UPDATE customers SET name = ? WHERE id = ?
	// COMMIT shop | no text
}

func ExampleWithFilter() {
	provider := &recorder{}
	tracer, err := tracing.New(
		tracing.WithTracerProvider(provider),
		tracing.WithFilter(func(_ context.Context, call *sp.Call) bool {
			return !strings.HasPrefix(call.Text, "SELECT pg_notify")
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	chain := sp.NewChain(tracer)

	perform(context.Background(), chain, sp.OpExec, "SELECT pg_notify('jobs', '')")
	perform(context.Background(), chain, sp.OpExec, "DELETE FROM jobs WHERE id = $1")

	for _, s := range provider.all() {
		fmt.Println(s.name)
	}
	// Output:
	// DELETE jobs
}

func ExampleWithSpanNameFunc() {
	provider := &recorder{}
	tracer, err := tracing.New(
		tracing.WithTracerProvider(provider),
		tracing.WithSpanNameFunc(func(_ context.Context, call *sp.Call) string {
			if call.Op == sp.OpPing {
				return "health"
			}
			return "" // the usual name
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	chain := sp.NewChain(tracer)

	ctx := context.Background()
	perform(ctx, chain, sp.OpPing, "")
	perform(ctx, chain, sp.OpExec, "DELETE FROM jobs WHERE id = $1")
	perform(sp.WithCallName(ctx, "jobs.purge"), chain, sp.OpExec, "DELETE FROM jobs WHERE id = $1")

	for _, s := range provider.all() {
		fmt.Println(s.name)
	}
	// Output:
	// health
	// DELETE jobs
	// jobs.purge
}

func ExampleWithMeterProvider() {
	meters := &meter{} // the SDK's, in a service
	tracer, err := tracing.New(
		tracing.WithoutSpans(),
		tracing.WithMeterProvider(meters),
		tracing.WithAttributes(attribute.String("service.tier", "gold")),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	perform(context.Background(), sp.NewChain(tracer), sp.OpExec, "DELETE FROM jobs WHERE id = 7")

	for _, m := range meters.all("db.client.operation.duration") {
		fmt.Println(text(m.attributes.ToSlice()))
	}
	// Output:
	// db.namespace=shop
	// db.query.summary=DELETE jobs
	// db.system.name=postgresql
	// server.address=db.internal
	// service.tier=gold
}
