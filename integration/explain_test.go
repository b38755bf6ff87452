package integration_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
)

// TestASlowStatementIsLoggedWithItsPlan asks PostgreSQL for plans, whose values
// must not be told.
func TestASlowStatementIsLoggedWithItsPlan(t *testing.T) {
	t.Parallel()
	server := dbtest.Postgres(t).Database(t)
	plans := openPGX(t, server.URL(), nil)
	pgxExec(t, plans, "CREATE TABLE guests (id int PRIMARY KEY, name text)", "INSERT INTO guests SELECT n, 'guest ' || n FROM generate_series(1, 100) n")
	asking := stdlib.OpenDBFromPool(plans.Unwrap())
	defer asking.Close()
	var out bytes.Buffer
	slow := must(slowquery.New(slog.New(slog.NewTextHandler(&out, nil)), time.Nanosecond,
		slowquery.WithPostgresExplain(asking)))
	pool := openPGX(t, server.URL(), []sp.Interceptor{slow})
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM guests WHERE name = $1 AND id > 4711", "secret: name\n  ->  secret").Scan(&n); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{"Aggregate  (cost=", "Scan", " on guests  (cost=", `(id > ?)`, `(name = ?::text)`, "guests WHERE name = $1"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Errorf("an argument is in %s", got)
	}
	out.Reset()
	pgxExec(t, pool, "DELETE FROM guests WHERE id = 1")
	if got := out.String(); !strings.Contains(got, "DELETE") || strings.Contains(got, "sessionproxy.plan") {
		t.Errorf("a write was explained: %s", got)
	}
}
