package logging_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
)

func Example() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		// Without what differs from run to run.
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "db.client.operation.duration" {
				return slog.Attr{}
			}
			return a
		},
	})
	logs, err := logging.New(slog.New(handler))
	if err != nil {
		fmt.Println(err)
		return
	}
	refuse := func(context.Context, *sp.Call) error { return linktest.PgError("23505") }
	var call sp.Call
	attach.Reset(&call, nil)
	call.Op, call.Text = sp.OpExec, "INSERT INTO users VALUES ('alice')"
	call.Target = &sp.Target{System: sp.PostgreSQL, Namespace: "shop"}
	_, _ = attach.Run(context.Background(), &call, sp.NewChain(logs).Then(refuse))
	// Output:
	// level=ERROR msg="database call failed" db.system.name=postgresql db.namespace=shop db.query.summary="INSERT users" db.query.text="INSERT INTO users VALUES (?)" error.type=23505 sessionproxy.fault.class=integrity db.response.status_code=23505
}
