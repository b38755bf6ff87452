package limit_test

import (
	"context"
	"errors"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

func Example() {
	limiter, err := limit.New(1, limit.WithQueue(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(limiter).Then(attach.Perform)

	// A query holds its permit until its rows are closed.
	var query, second sp.Call
	attach.Reset(&query, linktest.Opens())
	query.Op, query.Scope = sp.OpQuery, sp.ScopePool
	_, _ = attach.Run(context.Background(), &query, h)

	attach.Reset(&second, linktest.Returns(nil))
	second.Op, second.Scope = sp.OpExec, sp.ScopePool
	_, err = attach.Run(context.Background(), &second, h)
	fmt.Println(err)
	fmt.Println("nothing was sent:", errors.Is(err, fault.ErrRejected))

	attach.Finish(&query, nil)
	_, err = attach.Run(context.Background(), &second, h)
	fmt.Println(err)
	// Output:
	// limit: exec: limit of 1 calls at once: the queue of 0 is full
	// nothing was sent: true
	// <nil>
}

// A request for a report of one tenant: it waits behind what users wait for, and
// takes from its tenant's share.
func Example_prioritiesAndShares() {
	ctx := sp.WithPriority(context.Background(), sp.PriorityLow)
	ctx = sp.WithShare(ctx, "tenant-17")

	limiter, _ := limit.New(20, limit.WithQueue(100))
	var report sp.Call
	attach.Reset(&report, linktest.Returns(nil))
	report.Op, report.Scope = sp.OpQuery, sp.ScopePool
	attach.Bind(ctx, &report)
	_, err := attach.Run(ctx, &report, sp.NewChain(limiter).Then(attach.Perform))
	fmt.Println(report.Marks.Priority < sp.PriorityNormal, report.Marks.Share, err)
	// Output: true tenant-17 <nil>
}
