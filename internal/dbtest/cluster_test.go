package dbtest_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// A cluster's standbys show what its primary has, unless their replay is paused; a
// promoted one is followed by the other; and a synchronous COMMIT waits.
func TestCluster(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := dbtest.NewCluster(t, 2)
	query(t, c.Database(0), "CREATE TABLE kept AS SELECT 1 AS n")
	for _, i := range []int{1, 2} {
		must(t, c.CaughtUp(ctx, i, 0))
		if n := query(t, c.Database(i), "SELECT n FROM kept"); n != "1" {
			t.Errorf("standby %d has %q, want 1", i, n)
		}
	}
	must(t, c.PauseReplay(ctx, 2))
	query(t, c.Database(0), "UPDATE kept SET n = 2")
	must(t, c.CaughtUp(ctx, 1, 0))
	if n := query(t, c.Database(2), "SELECT n FROM kept"); n != "1" {
		t.Errorf("the paused standby shows %q, want 1", n)
	}
	must(t, c.ResumeReplay(ctx, 2))
	must(t, c.CaughtUp(ctx, 2, 0))

	must(t, c.Servers[0].Kill())
	must(t, c.Servers[1].Promote(ctx))
	must(t, c.Follow(ctx, 2, 1))
	must(t, c.Synchronous(ctx, 1, 1))
	query(t, c.Database(1), "UPDATE kept SET n = 3")
	must(t, c.CaughtUp(ctx, 2, 1))
	if n := query(t, c.Database(2), "SELECT n FROM kept"); n != "3" {
		t.Errorf("the standby of the promoted server has %q, want 3", n)
	}
}
