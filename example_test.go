package sessionproxy_test

import (
	"context"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// printing returns an interceptor that prints its name on the way in and out.
func printing(name string) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			fmt.Println(name, "before", call.Op)
			err := next(ctx, call)
			fmt.Println(name, "after", call.Op)
			return err
		}
	})
}

// A chain's first interceptor is outermost: it sees a call first and its
// result last.
func ExampleNewChain() {
	chain := sp.NewChain(printing("tracing"), printing("retry"))
	core := func(context.Context, *sp.Call) error {
		fmt.Println("the database works")
		return nil
	}
	_ = chain.Then(core)(context.Background(), &sp.Call{Op: sp.OpExec})
	// Output:
	// tracing before exec
	// retry before exec
	// the database works
	// retry after exec
	// tracing after exec
}

// An interceptor refuses a call by returning an error without calling next.
func ExampleInterceptorFunc() {
	noDrop := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Text == "DROP TABLE users" {
				return errors.New("not on my watch")
			}
			return next(ctx, call)
		}
	})
	h := sp.NewChain(noDrop).Then(func(context.Context, *sp.Call) error { return nil })
	fmt.Println(h(context.Background(), &sp.Call{Op: sp.OpExec, Text: "DROP TABLE users"}))
	fmt.Println(h(context.Background(), &sp.Call{Op: sp.OpExec, Text: "SELECT 1"}))
	// Output:
	// not on my watch
	// <nil>
}

// rows is an operation whose result outlives its handler.
type rows struct{ call sp.Call }

func (r *rows) Do(_ context.Context, call *sp.Call) error {
	attach.KeepOpen(call)
	return nil
}

// What an interceptor opened for a call ends with the call's result: rows are
// read after the handler returned.
func ExampleCall_OnFinish() {
	timing := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(err error) { fmt.Println("finished, error:", err) })
			return next(ctx, call)
		}
	})
	r := &rows{}
	attach.Reset(&r.call, r)
	open, _ := attach.Run(context.Background(), &r.call, sp.NewChain(timing).Then(attach.Perform))
	fmt.Println("rows are open:", open)
	attach.Finish(&r.call, nil) // the rows are closed
	// Output:
	// rows are open: true
	// finished, error: <nil>
}

// An interceptor that repeats a call makes each attempt through Try.
func ExampleCall_Try() {
	twice := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if err := call.Try(ctx, next); err == nil {
				return nil
			}
			return call.Try(ctx, next)
		}
	})
	h := sp.NewChain(twice).Then(func(_ context.Context, call *sp.Call) error {
		fmt.Println("attempt", call.Attempt())
		return errors.New("down")
	})
	fmt.Println(h(context.Background(), &sp.Call{Op: sp.OpExec}))
	// Output:
	// attempt 1
	// attempt 2
	// down
}

// Marks declare what only the caller knows.
func ExampleWithIdempotent() {
	ctx := sp.WithCallName(sp.WithIdempotent(context.Background()), "stock.set")
	marks := sp.MarksFrom(ctx)
	fmt.Println(marks.Name, marks.Idempotent, marks.NoRetry)
	// Output: stock.set true false
}
