package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// database stands in for what an attachment puts behind a chain.
type database struct{ err error }

func (db *database) Do(context.Context, *sessionproxy.Call) error { return db.err }

// exec runs a statement through the chain.
func (db *database) exec(h sessionproxy.Handler) error {
	var call sessionproxy.Call
	attach.Reset(&call, db)
	call.Op, call.Target = sessionproxy.OpExec, orders
	_, err := attach.Run(context.Background(), &call, h)
	return err
}

var orders = &sessionproxy.Target{System: sessionproxy.PostgreSQL, Host: "db1", Port: 5432, Namespace: "orders"}

func Example() {
	brk, err := breaker.New(breaker.WithConsecutiveFailures(3),
		breaker.WithFirstOpenTime(time.Minute), breaker.WithOpenTime(time.Minute))
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := sessionproxy.NewChain(brk).Then(attach.Perform)

	db := &database{err: syscall.ECONNREFUSED} // the server is gone
	for range 3 {
		fmt.Println(db.exec(handler))
	}
	err = db.exec(handler)
	if open, ok := errors.AsType[*breaker.OpenError](err); ok {
		fmt.Println("refused:", open.Target, open.State, open.Cause, open.RetryAfter > 50*time.Second)
	}
	// Output:
	// connection refused
	// connection refused
	// connection refused
	// refused: postgresql://db1:5432/orders open connect true
}

func ExampleBreaker_ForceOpen() {
	brk, err := breaker.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := sessionproxy.NewChain(brk).Then(attach.Perform)

	brk.ForceOpen(orders) // the database is about to be maintained
	fmt.Println(new(database).exec(handler))
	brk.Reset(orders)
	fmt.Println(new(database).exec(handler))
	// Output:
	// breaker: call to postgresql://db1:5432/orders: circuit forced_open
	// <nil>
}

func ExampleBreaker_States() {
	brk, err := breaker.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := sessionproxy.NewChain(brk).Then(attach.Perform)
	_ = new(database).exec(handler)
	_ = (&database{err: syscall.ECONNREFUSED}).exec(handler)

	for s := range brk.States() {
		fmt.Println(s.Target.String(), s.State, s.Counts.Successes, s.Counts.Failures)
	}
	// Output:
	// postgresql://db1:5432/orders closed 1 1
}

func ExampleWithOnStateChange() {
	brk, err := breaker.New(breaker.WithOnStateChange(func(c breaker.Change) {
		fmt.Println(c.Target.Namespace, "was", c.From, "and is", c.To)
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	brk.ForceClosed(orders)
	brk.Reset(orders)
	// Output:
	// orders was closed and is forced_closed
	// orders was forced_closed and is closed
}

func ExampleWithGobreakerSettings() {
	brk, err := breaker.New(breaker.WithGobreakerSettings(func(s *gobreaker.Settings) {
		s.Timeout = 30 * time.Second
		s.ReadyToTrip = func(n gobreaker.Counts) bool { return n.TotalFailures > 1 }
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := sessionproxy.NewChain(brk).Then(attach.Perform)
	for range 2 {
		_ = (&database{err: syscall.ECONNREFUSED}).exec(handler)
	}
	fmt.Println(brk.State(orders))
	// Output: open
}
