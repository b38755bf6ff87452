package integration_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// Libraries that others wrote run on handles of this one, unchanged. Each
// database has its own driver here: those that the libraries are made for.
var compatible = []database{
	{"PostgreSQL", "pgx", sp.PostgreSQL, func(t testing.TB) string { return dbtest.Postgres(t).Database(t).DSN() }},
	{"MariaDB", "mysql", sp.MariaDB, func(t testing.TB) string { return dbtest.MariaDB(t).Database(t).DSN("parseTime=true") }},
	{"SQLite", "sqlite", sp.SQLite, func(t testing.TB) string { return "file:" + dbtest.SQLite(t) + "?_pragma=busy_timeout(5000)" }},
}

// onEachCompatible runs a test on a standard handle of each database, under
// tracing.
func onEachCompatible(t *testing.T, test func(t *testing.T, d database, db *sql.DB, c *telemetry)) {
	t.Helper()
	for _, d := range compatible {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			c := collect(t)
			db, err := sqldb.Open(d.driver, d.dsn(t), sp.NewChain(c.tracing))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			test(t, d, db, c)
		})
	}
}

// spansOf checks the spans of what was done since the last time: each is a
// client's, of the right system, under the test's own span, and those that are
// wanted are there, once for each time they are named.
func (c *telemetry) spansOf(t *testing.T, d database, parent trace.Span, want ...string) {
	t.Helper()
	spans := c.take()
	var got []string
	for _, s := range spans {
		system, failed := "", ""
		for _, a := range s.Attributes {
			switch a.Key {
			case "db.system.name":
				system = a.Value.AsString()
			case "error.type":
				failed = a.Value.AsString()
			}
		}
		if s.SpanKind != trace.SpanKindClient || sp.System(system) != d.system || failed != "" {
			t.Errorf("span %s: kind %s, system %s, error %q", s.Name, s.SpanKind, system, failed)
		}
		if s.Parent.SpanID() != parent.SpanContext().SpanID() {
			t.Errorf("span %s is not under the test's", s.Name)
		}
		got = append(got, plain(s.Name))
	}
	for _, name := range want {
		found := -1
		for i, g := range got {
			if g == name {
				found = i
			}
		}
		if found < 0 {
			t.Fatalf("there is no span %q among %q", name, got)
		}
		got = append(got[:found], got[found+1:]...)
	}
	for _, g := range got {
		if verb, _, _ := strings.Cut(g, " "); verb != "BEGIN" && verb != "COMMIT" && verb != "ROLLBACK" && verb != "connect" && verb != "SELECT" && verb != "PREPARE" && verb != "ping" {
			t.Errorf("the span %q is one too many", g)
		}
	}
}

// plain is a name without quotes.
func plain(name string) string { return strings.NewReplacer("`", "", `"`, "").Replace(name) }

// under starts a span for what is done next.
func (c *telemetry) under(t *testing.T) (context.Context, trace.Span) {
	t.Helper()
	c.take()
	return c.traces.Tracer("compat").Start(t.Context(), "work")
}
