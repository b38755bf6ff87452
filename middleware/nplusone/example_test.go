package nplusone_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/middleware/nplusone"
)

// A handler reads the customer of each order by a query of its own.
func Example() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key { // what is the same each time
		case slog.MessageKey, "db.query.summary", "sessionproxy.repeated", "code.function.name":
			return a
		}
		return slog.Attr{}
	}}))
	loops, err := nplusone.New(logger)
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(loops).Then(func(context.Context, *sp.Call) error { return nil })

	ctx := nplusone.Scope(context.Background()) // for each request
	for range 50 {
		var call sp.Call
		attach.Reset(&call, nil)
		call.Op, call.Text = sp.OpQuery, "SELECT name FROM customers WHERE id = $1"
		if _, err := attach.Run(ctx, &call, h); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// msg="statement repeated in a loop" db.query.summary="SELECT customers" sessionproxy.repeated=10 code.function.name=github.com/sessionproxy/sessionproxy/middleware/nplusone_test.Example
}
