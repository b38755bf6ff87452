package readonly_test

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
)

func Example() {
	guard, err := readonly.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(guard).Then(attach.Perform)
	for _, text := range []string{"SELECT name FROM users", "DELETE FROM users"} {
		var call sp.Call
		attach.Reset(&call, linktest.Returns(nil))
		call.Op, call.Text = sp.OpExec, text
		_, err := attach.Run(context.Background(), &call, h)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// readonly: exec: refused, since only reading is allowed here and this is not certain to read
}
