package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

func ExampleTimeout() {
	timeout, err := middleware.Timeout(time.Millisecond,
		middleware.WithTimeoutFor(30*time.Second, sp.OpTransaction))
	if err != nil {
		fmt.Println(err)
		return
	}
	slow := func(ctx context.Context, _ *sp.Call) error {
		<-ctx.Done() // a driver that heeds its context
		return ctx.Err()
	}
	var call sp.Call
	call.Reset(nil)
	call.Op = sp.OpQuery
	_, err = call.Run(context.Background(), sp.NewChain(timeout).Then(slow))
	fmt.Println(err)
	fmt.Println("ours, not the caller's:", errors.Is(err, fault.ErrAttemptTimeout))
	// Output:
	// middleware: query: time limit of 1ms exceeded: context deadline exceeded
	// ours, not the caller's: true
}

func ExampleRecover() {
	recoverer, err := middleware.Recover(
		middleware.WithOnPanic(func(_ context.Context, p *middleware.PanicError) {
			fmt.Println("reported:", p.Value)
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	broken := func(context.Context, *sp.Call) error { panic("a driver's mistake") }
	var call sp.Call
	call.Reset(nil)
	call.Op = sp.OpExec
	_, err = call.Run(context.Background(), sp.NewChain(recoverer).Then(broken))
	fmt.Println(err)
	// Output:
	// reported: a driver's mistake
	// middleware: exec: panic: string
}

func ExampleLogging() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		// Without what differs from run to run.
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "db.client.operation.duration" {
				return slog.Attr{}
			}
			return a
		},
	})
	logging, err := middleware.Logging(slog.New(handler))
	if err != nil {
		fmt.Println(err)
		return
	}
	refuse := func(context.Context, *sp.Call) error { return pgError("23505") }
	var call sp.Call
	call.Reset(nil)
	call.Op, call.Text = sp.OpExec, "INSERT INTO users VALUES ('alice')"
	call.Target = &sp.Target{System: sp.PostgreSQL, Namespace: "shop"}
	_, _ = call.Run(context.Background(), sp.NewChain(logging).Then(refuse))
	// Output:
	// level=ERROR msg="database call failed" db.system.name=postgresql db.namespace=shop db.query.summary="INSERT users" db.query.text="INSERT INTO users VALUES (?)" error.type=23505 sessionproxy.fault.class=integrity db.response.status_code=23505
}

func ExampleLimit() {
	limit, err := middleware.Limit(1, middleware.WithQueue(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(limit).Then(sp.Perform)

	// A query holds its permit until its rows are closed.
	var query, second sp.Call
	query.Reset(opens())
	query.Op = sp.OpQuery
	_, _ = query.Run(context.Background(), h)

	second.Reset(returns(nil))
	second.Op = sp.OpExec
	_, err = second.Run(context.Background(), h)
	fmt.Println(err)
	fmt.Println("nothing was sent:", errors.Is(err, fault.ErrRejected))

	query.Finish(nil)
	_, err = second.Run(context.Background(), h)
	fmt.Println(err)
	// Output:
	// middleware: exec: limit of 1 calls at once: the queue of 0 is full
	// nothing was sent: true
	// <nil>
}

func ExampleRateLimit() {
	rate, err := middleware.RateLimit(0.5, 2, middleware.WithMaxWait(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(rate).Then(sp.Perform)
	for range 3 {
		var call sp.Call
		call.Reset(returns(nil))
		call.Op = sp.OpExec
		_, err := call.Run(context.Background(), h)
		if refusal, ok := errors.AsType[*middleware.RateLimitError](err); ok {
			fmt.Println("come back in", refusal.RetryAfter.Round(time.Second))
			continue
		}
		fmt.Println("done")
	}
	// Output:
	// done
	// done
	// come back in 2s
}

func ExampleReadOnly() {
	guard, err := middleware.ReadOnly()
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(guard).Then(sp.Perform)
	for _, text := range []string{"SELECT name FROM users", "DELETE FROM users"} {
		var call sp.Call
		call.Reset(returns(nil))
		call.Op, call.Text = sp.OpExec, text
		_, err := call.Run(context.Background(), h)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// middleware: exec: refused, since only reading is allowed here and this is not certain to read
}

func ExampleHedge() {
	hedge, err := middleware.Hedge(
		middleware.WithHedgeDelay(time.Millisecond), // by default learned from each statement
		middleware.WithHedgeBudget(0.05))
	if err != nil {
		fmt.Println(err)
		return
	}
	stalled := newTwin(func(ctx context.Context, _ *sp.Call, attempt int) error {
		if attempt == 1 {
			<-ctx.Done() // until it is given up
			return ctx.Err()
		}
		return nil
	})
	ctx := sp.WithReadOnly(context.Background())
	var call sp.Call
	call.Reset(stalled)
	call.Op, call.Scope, call.Text = sp.OpQuery, sp.ScopePool, "SELECT name FROM users"
	call.Bind(ctx)
	_, err = call.Run(ctx, sp.NewChain(hedge).Then(sp.Perform))
	fmt.Println(err, "from attempt", stalled.forks.adopted)
	// Output:
	// <nil> from attempt 2
}
