package dbtest_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// A standby has what the primary has, takes no writes, and takes them once it
// is promoted, whatever became of the primary.
func TestStandby(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary := dbtest.Private(t, dbtest.KindPostgres)
	db, err := primary.Create(ctx, "standby")
	if err != nil {
		t.Fatal(err)
	}
	query(t, db, "CREATE TABLE kept AS SELECT 42 AS n")
	standby, giveBack, err := primary.Standby(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, giveBack()) })
	there := db
	there.Port, there.Socket = standby.Admin().Port, standby.Admin().Socket
	if n, err := there.Query(ctx, "SELECT n FROM kept"); err != nil || n != "42" {
		t.Errorf("the standby has %q, %v; want 42", n, err)
	}
	if _, err := there.Query(ctx, "UPDATE kept SET n = 43"); err == nil {
		t.Error("the standby took a write")
	}
	must(t, primary.Kill())
	must(t, standby.Promote(ctx))
	if n, err := there.Query(ctx, "UPDATE kept SET n = 43 RETURNING n"); err != nil || n != "43" {
		t.Errorf("after the promotion a write gives %q, %v; want 43", n, err)
	}
}
