package attach_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
)

// DB is a handle of a driver that the library does not know, through a chain.
type DB struct {
	driver  *Driver
	handler sessionproxy.Handler
	target  *sessionproxy.Target
}

// Wrap composes the chain around the core once, for all calls of the handle.
func Wrap(d *Driver, chain sessionproxy.Chain) *DB {
	return &DB{
		driver:  d,
		handler: chain.Then(attach.Perform),
		target:  &sessionproxy.Target{System: sessionproxy.OtherSQL, Namespace: "shop"},
	}
}

// Exec describes a call and runs it.
func (db *DB) Exec(ctx context.Context, text string, args ...any) error {
	e := &exec{driver: db.driver, args: args}
	attach.Reset(&e.call, e)
	attach.Bind(ctx, &e.call)
	e.call.Op, e.call.Scope, e.call.Target = sessionproxy.OpExec, sessionproxy.ScopePool, db.target
	e.call.Text, e.call.Args = text, attach.PlainArgs(args)
	_, err := attach.Run(ctx, &e.call, db.handler)
	return err
}

// exec is the performer of Exec's calls.
type exec struct {
	call   sessionproxy.Call
	args   []any
	driver *Driver
}

// Do performs the call once. What the driver's error means, only the attachment
// knows: this driver says when a statement was not sent.
func (e *exec) Do(ctx context.Context, call *sessionproxy.Call) error {
	n, err := e.driver.Send(call.Text, e.args)
	if err != nil {
		progress := fault.ProgressUnknown
		if errors.Is(err, ErrNotSent) {
			progress = fault.ProgressUnsent
		}
		call.Judge(ctx, err, call.Op.Phase(), progress)
		return err
	}
	call.RowsAffected = n
	return nil
}

// Driver stands for a driver with an interface of its own.
type Driver struct{ failures int }

// ErrNotSent is what the driver answers when the network is down.
var ErrNotSent = errors.New("driver: not sent")

// Send runs a statement.
func (d *Driver) Send(string, []any) (int64, error) {
	if d.failures > 0 {
		d.failures--
		return 0, ErrNotSent
	}
	return 1, nil
}

// A driver of your own gets the whole pipeline: here, whatever observes a call
// and whatever performs it again.
func Example() {
	observe := sessionproxy.InterceptorFunc(func(next sessionproxy.Handler) sessionproxy.Handler {
		return func(ctx context.Context, call *sessionproxy.Call) error {
			call.OnFinish(func(err error) {
				fmt.Println(call.Op, call.Text, "attempts:", call.Attempt(), "rows:", call.RowsAffected, "error:", err)
			})
			return next(ctx, call)
		}
	})
	again := sessionproxy.InterceptorFunc(func(next sessionproxy.Handler) sessionproxy.Handler {
		return func(ctx context.Context, call *sessionproxy.Call) error {
			err := call.Try(ctx, next)
			if err != nil && call.Verdict(err).Outcome == fault.OutcomeNotSent {
				err = call.Try(ctx, next)
			}
			return err
		}
	})
	db := Wrap(&Driver{failures: 1}, sessionproxy.NewChain(observe, again))
	if err := db.Exec(context.Background(), "UPDATE stock SET n = n - 1"); err != nil {
		fmt.Println(err)
	}
	// Output: exec UPDATE stock SET n = n - 1 attempts: 2 rows: 1 error: <nil>
}
