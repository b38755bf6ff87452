package hedge_test

import (
	"context"
	"fmt"
	"time"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
)

func Example() {
	hedged, err := hedge.New(
		hedge.WithDelay(time.Millisecond), // by default learned from each statement
		hedge.WithBudget(0.05))
	if err != nil {
		fmt.Println(err)
		return
	}
	stalled := linktest.NewTwin(func(ctx context.Context, _ *sp.Call, attempt int) error {
		if attempt == 1 {
			<-ctx.Done() // until it is given up
			return ctx.Err()
		}
		return nil
	})
	ctx := sp.WithReadOnly(context.Background())
	var call sp.Call
	attach.Reset(&call, stalled)
	call.Op, call.Scope, call.Text = sp.OpQuery, sp.ScopePool, "SELECT name FROM users"
	attach.Bind(ctx, &call)
	_, err = attach.Run(ctx, &call, sp.NewChain(hedged).Then(attach.Perform))
	fmt.Println(err, "from attempt", stalled.Forks.Adopted)
	// Output:
	// <nil> from attempt 2
}
