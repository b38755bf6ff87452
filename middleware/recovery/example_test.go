package recovery_test

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
)

func Example() {
	recoverer, err := recovery.New(
		recovery.WithReport(func(_ context.Context, p *recovery.PanicError) {
			fmt.Println("reported:", p.Value)
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	broken := func(context.Context, *sp.Call) error { panic("a driver's mistake") }
	var call sp.Call
	attach.Reset(&call, nil)
	call.Op = sp.OpExec
	_, err = attach.Run(context.Background(), &call, sp.NewChain(recoverer).Then(broken))
	fmt.Println(err)
	// Output:
	// reported: a driver's mistake
	// recovery: exec: panic: string
}
