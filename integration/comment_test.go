package integration_test

import (
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
)

// TestTheServerSeesTheComment asks each server what statement it is running.
func TestTheServerSeesTheComment(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		db := d.open(t, must(sqlcomment.New(sqlcomment.WithTag("service", "shop"))))
		ask, want := "SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()", "/*service='shop'*/"
		switch d.system {
		case sp.MariaDB, sp.MySQL:
			ask = "SELECT info FROM information_schema.processlist WHERE id = connection_id()"
		case sp.SQLite: // which tells nobody: it has to understand it
			ask, want = "SELECT 'SELECT x /*service=''shop''*/'", "/*service='shop'*/"
		}
		got := scalar[string](t, db, ask)
		if len(got) < len(want) || got[len(got)-len(want):] != want {
			t.Errorf("the server runs %q", got)
		}
	})
}
