package dbtest_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestPgBouncerIsInFrontOfTheDatabase(t *testing.T) {
	t.Parallel()
	behind := dbtest.Postgres(t).Database(t)
	d := dbtest.PgBouncer(t, behind, dbtest.Config("default_pool_size", "2"))
	got, err := d.Query(t.Context(), "SELECT current_database(), current_user, inet_server_port()")
	want, werr := behind.Query(t.Context(), "SELECT current_database(), current_user, inet_server_port()")
	if err != nil || werr != nil || got != want || d.Port == behind.Port {
		t.Errorf("through it %q, %v, directly %q, %v", got, err, want, werr)
	}
	console := d
	console.Name = "pgbouncer"
	if out, err := console.Query(t.Context(), "SHOW CONFIG"); err != nil || !strings.Contains(out, "default_pool_size|2|") || !strings.Contains(out, "pool_mode|transaction|") {
		t.Errorf("%v: %s", err, out)
	}
}
