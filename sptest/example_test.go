package sptest_test

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/sptest"
	"github.com/sessionproxy/sessionproxy/sptest/sqlitefaults"
)

// The second write meets a connection that breaks; the recorder keeps both.
func ExampleFaults() {
	faults, err := sptest.NewFaults(sptest.Rule{
		Fault: sptest.Fault{Name: "lost", Err: sqlitefaults.ErrLost, Lost: true}, Summary: "INSERT a", Nth: 2,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	calls := &sptest.Recorder{}
	db, err := sqldb.Open("sqlite", ":memory:", sessionproxy.NewChain(calls, faults))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	for _, text := range []string{"CREATE TABLE a (n INTEGER)", "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (2)"} {
		_, _ = db.ExecContext(context.Background(), text)
	}
	for _, c := range calls.Statements() {
		fmt.Println(c.Summary, c.Class)
	}
	// Output:
	// CREATE TABLE a none
	// INSERT a none
	// INSERT a connection_lost
}
