package throttle_test

import (
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/retry"
)

func ExampleNew() {
	retrier, err := retry.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	throttler, err := throttle.New(throttle.WithFactor(1.5))
	if err != nil {
		fmt.Println(err)
		return
	}
	brk, err := breaker.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	chain := sessionproxy.NewChain(retrier, throttler, brk)
	fmt.Println(chain.Len())
	// Output: 3
}

func ExampleError() {
	err := error(&throttle.Error{Op: sessionproxy.OpExec, Target: "postgresql://db.example/shop", Share: 0.4})
	if refused, ok := errors.AsType[*throttle.Error](err); ok {
		fmt.Printf("%.0f %% are refused\n", 100*refused.Share)
	}
	// Output: 40 % are refused
}
