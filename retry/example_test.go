package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

// serverError stands for a driver's error: it tells its SQLSTATE.
type serverError struct{ code, text string }

func (e serverError) Error() string    { return e.text }
func (e serverError) SQLState() string { return e.code }

// transfer is a unit of work as an attachment would perform it: it loses
// against a concurrent transaction some times before it is committed.
type transfer struct{ conflicts int }

func (t *transfer) Do(context.Context, *sp.Call) error {
	if t.conflicts > 0 {
		t.conflicts--
		return serverError{"40001", "could not serialize access"}
	}
	fmt.Println("committed")
	return nil
}

// perform runs op as a unit of work through a chain, which is what RunInTx of
// an attachment does.
func perform(chain sp.Chain, op attach.Performer) error {
	var call sp.Call
	attach.Reset(&call, op)
	call.Op, call.Scope = sp.OpTransaction, sp.ScopePool
	_, err := attach.Run(context.Background(), &call, chain.Then(attach.Perform))
	return err
}

// reporter prints what interceptors further in report.
var reporter = sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		call.OnEvent(func(e sp.Event) { fmt.Printf("%s: attempt %d: %v\n", e.Kind, e.Attempt, e.Err) })
		return next(ctx, call)
	}
})

func Example() {
	r, err := retry.New(
		retry.WithAttempts(4),
		retry.WithBackoff(retry.Contention, time.Millisecond, 50*time.Millisecond),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := perform(sp.NewChain(reporter, r), &transfer{conflicts: 2}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// retry: attempt 1: could not serialize access
	// retry: attempt 2: could not serialize access
	// committed
}

func ExampleError() {
	r, err := retry.New(retry.WithAttempts(2), retry.WithBackoff(retry.Contention, 0, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	err = perform(sp.NewChain(r), &transfer{conflicts: 9})
	fmt.Println(err)

	if gaveUp, ok := errors.AsType[*retry.Error](err); ok {
		fmt.Println(gaveUp.Attempts, gaveUp.Reason)
	}
	fmt.Println(fault.Code(err))
	// Output:
	// could not serialize access; retry: gave up after 2 attempts
	// 2 attempts
	// 40001
}

// A budget for all databases of a process, spent faster and held smaller than
// by default. The two conflicts that the unit meets cost nothing: they are the
// answers of a healthy server.
func ExampleNewBudget() {
	budget, err := retry.NewBudget(retry.WithCapacity(100), retry.WithCost(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := retry.New(retry.WithBudget(budget), retry.WithBackoff(retry.Contention, 0, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = perform(sp.NewChain(r), &transfer{conflicts: 2})
	fmt.Println(budget.Remaining(nil), "tokens left")
	// Output:
	// committed
	// 100 tokens left
}

// Under SERIALIZABLE two units that insert the same key can meet as a unique
// violation, which a replay resolves: the caller may opt in to that.
func ExampleWithClassifier() {
	r, err := retry.New(
		retry.WithBackoff(retry.Contention, 0, 0),
		retry.WithClassifier(func(err error, v fault.Verdict) fault.Verdict {
			if fault.Code(err) == "23505" {
				v.Retry, v.Contention = fault.RetryTransaction, true
			}
			return v
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = perform(sp.NewChain(reporter, r), &insert{})
	// Output:
	// retry: attempt 1: duplicate key
	// inserted
}

type insert struct{ tried bool }

func (i *insert) Do(context.Context, *sp.Call) error {
	if !i.tried {
		i.tried = true
		return serverError{"23505", "duplicate key"}
	}
	fmt.Println("inserted")
	return nil
}

// An option out of its range is an error that names it.
func ExampleNew() {
	_, err := retry.New(retry.WithAttempts(0))
	fmt.Println(err)
	// Output:
	// retry: WithAttempts(0): want 1 to 100
}
