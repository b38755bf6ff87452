package readonly_test

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
)

func Example() {
	guard, err := readonly.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(guard).Then(sp.Perform)
	for _, text := range []string{"SELECT name FROM users", "DELETE FROM users"} {
		var call sp.Call
		call.Reset(linktest.Returns(nil))
		call.Op, call.Text = sp.OpExec, text
		_, err := call.Run(context.Background(), h)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// readonly: exec: refused, since only reading is allowed here and this is not certain to read
}
