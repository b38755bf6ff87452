package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
)

func Example() {
	rate, err := ratelimit.New(0.5, 2, ratelimit.WithMaxWait(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(rate).Then(attach.Perform)
	for range 3 {
		var call sp.Call
		attach.Reset(&call, linktest.Returns(nil))
		call.Op, call.Scope = sp.OpExec, sp.ScopePool
		_, err := attach.Run(context.Background(), &call, h)
		if refusal, ok := errors.AsType[*ratelimit.Error](err); ok {
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
