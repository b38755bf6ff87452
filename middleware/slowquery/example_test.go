package slowquery_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
)

func Example() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "db.client.operation.duration" {
			return slog.Attr{} // differs each time
		}
		return a
	}}))
	slow, err := slowquery.New(logger, time.Nanosecond)
	if err != nil {
		fmt.Println(err)
		return
	}
	var call sp.Call
	attach.Reset(&call, &linktest.Script{})
	call.Op, call.Text = sp.OpQuery, "SELECT name FROM users WHERE id = 7"
	_, err = attach.Run(context.Background(), &call, sp.NewChain(slow).Then(attach.Perform))
	fmt.Println(err)
	// Output:
	// level=WARN msg="slow database statement" db.system.name=other_sql db.query.summary="SELECT users" db.query.text="SELECT name FROM users WHERE id = ?"
	// <nil>
}
