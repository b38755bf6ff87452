package profile_test

import (
	"context"
	"fmt"
	"runtime/pprof"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/middleware/profile"
)

// A profile of goroutines shows which statement one of them is performing.
func Example() {
	labels, err := profile.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	look := func(context.Context, *sp.Call) error {
		var all strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
		for line := range strings.Lines(all.String()) {
			if strings.Contains(line, "db.summary") {
				fmt.Print(line)
			}
		}
		return nil
	}
	var call sp.Call
	attach.Reset(&call, nil)
	call.Op, call.Text = sp.OpQuery, "SELECT name FROM users WHERE id = $1"
	_, err = attach.Run(context.Background(), &call, sp.NewChain(labels).Then(look))
	fmt.Println(err)
	// Output:
	// # labels: {"db.operation":"query", "db.summary":"SELECT users"}
	// <nil>
}
