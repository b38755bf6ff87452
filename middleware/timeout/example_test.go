package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

func Example() {
	limited, err := timeout.New(time.Millisecond,
		timeout.WithFor(30*time.Second, sp.OpTransaction))
	if err != nil {
		fmt.Println(err)
		return
	}
	slow := func(ctx context.Context, _ *sp.Call) error {
		<-ctx.Done() // a driver that heeds its context
		return ctx.Err()
	}
	var call sp.Call
	attach.Reset(&call, nil)
	call.Op = sp.OpQuery
	_, err = attach.Run(context.Background(), &call, sp.NewChain(limited).Then(slow))
	fmt.Println(err)
	fmt.Println("ours, not the caller's:", errors.Is(err, fault.ErrAttemptTimeout))
	// Output:
	// timeout: query: time limit of 1ms exceeded: context deadline exceeded
	// ours, not the caller's: true
}
