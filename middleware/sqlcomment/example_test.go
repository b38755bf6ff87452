package sqlcomment_test

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"

	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
)

func Example() {
	comment, err := sqlcomment.New(sqlcomment.WithTag("service", "shop"), sqlcomment.WithTag("env", "prod"))
	if err != nil {
		fmt.Println(err)
		return
	}
	var call sp.Call
	attach.Reset(&call, &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
		fmt.Println(call.Text)
		return nil
	}})
	call.Op, call.Text = sp.OpQuery, "SELECT name FROM users WHERE id = $1"
	_, err = attach.Run(context.Background(), &call, sp.NewChain(comment).Then(attach.Perform))
	fmt.Println(err)
	// Output:
	// SELECT name FROM users WHERE id = $1 /*env='prod',service='shop'*/
	// <nil>
}
