package integration_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/lib/pq"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/preset"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// A service is one that was written without us, and the few lines that it takes
// to put the pipeline in front of its database.
type service struct {
	system sp.System
	server func(testing.TB) dbtest.Database
	run    func(t *testing.T, ctx context.Context, d dbtest.Database, chain sp.Chain)
	spans  []string // some of those that its on-call engineer looks for
}

// feeds is a store as a reader of feeds has it: lib/pq, some calls without a
// context, a transaction for each feed.
func feeds(t *testing.T, ctx context.Context, d dbtest.Database, chain sp.Chain) {
	t.Helper()
	connector := must(pq.NewConnector(d.DSN()))
	db := sqldb.OpenDB(connector, chain) // was sql.OpenDB(connector)
	defer db.Close()
	mustExec(t, db, "CREATE TABLE feeds (id SERIAL PRIMARY KEY, url TEXT UNIQUE)", "CREATE TABLE entries (feed_id INT, title TEXT)")
	tx := must(db.BeginTx(ctx, nil))
	var id int
	if err := tx.QueryRowContext(ctx, "INSERT INTO feeds (url) VALUES ($1) RETURNING id", "https://example.org/feed").Scan(&id); err != nil {
		t.Fatal(err)
	}
	must(tx.ExecContext(ctx, "INSERT INTO entries (feed_id, title) VALUES ($1, $2)", id, "first"))
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	_, err := db.Exec("INSERT INTO feeds (url) VALUES ($1)", "https://example.org/feed")
	if pqErr, ok := errors.AsType[*pq.Error](err); !ok || pqErr.Code != "23505" {
		t.Errorf("the driver's own error is not found: %v", err)
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM entries").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// jobs is a service with a pool of pgx's that a library takes too.
func jobs(t *testing.T, ctx context.Context, d dbtest.Database, chain sp.Chain) {
	t.Helper()
	config := must(pgxpool.ParseConfig(d.URL()))
	config.MaxConns = 5
	config.ConnConfig.Tracer = must(pgxdb.NewTracer(chain.Observers()))
	pool := must(pgxdb.NewPoolWithConfig(ctx, config, chain)) // was pgxpool.NewWithConfig(ctx, config)
	defer pool.Close()
	must(must(rivermigrate.New(riverpgxv5.New(pool.Unwrap()), nil)).Migrate(ctx, rivermigrate.DirectionUp, nil))
	client := must(river.NewClient(riverpgxv5.New(pool.Unwrap()), &river.Config{}))
	must(client.Insert(ctx, greet{Name: "ann"}, nil))
	var n int
	if err := pool.QueryRow(ctx, "SELECT COUNT(*) FROM river_job").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d jobs, %v", n, err)
	}
}

// memos is a service on MySQL that opens its database by the name of a driver.
func memos(t *testing.T, ctx context.Context, d dbtest.Database, chain sp.Chain) {
	t.Helper()
	name := "instrumented-" + d.Name
	sqldb.Register(name, &mysql.MySQLDriver{}, chain)
	db := must(sql.Open(name, d.DSN("parseTime=true"))) // was "mysql"
	defer db.Close()
	mustExec(t, db, "CREATE TABLE memo (id INT AUTO_INCREMENT PRIMARY KEY, content TEXT)")
	res := must(db.ExecContext(ctx, "INSERT INTO memo (content) VALUES (?)", "hello"))
	id := must(res.LastInsertId())
	var content string
	if err := db.QueryRowContext(ctx, "SELECT content FROM memo WHERE id = ?", id).Scan(&content); err != nil || content != "hello" {
		t.Errorf("%q, %v", content, err)
	}
}

// flags is a service that had otelsql: docs/migration.md's first lines took its
// place, and its metrics of the pool are WatchPool's.
func flags(t *testing.T, ctx context.Context, d dbtest.Database, chain sp.Chain) {
	t.Helper()
	db := must(sqldb.Open("pgx", d.DSN(), chain)) // was otelsql.Open("pgx", dsn, otelsql.WithAttributes(semconv.DBSystemPostgreSQL))
	defer db.Close()
	mustExec(t, db, "CREATE TABLE flags (key TEXT PRIMARY KEY, enabled BOOLEAN)")
	insert := must(db.PrepareContext(ctx, "INSERT INTO flags (key, enabled) VALUES ($1, $2)"))
	defer insert.Close()
	must(insert.ExecContext(ctx, "dark-mode", true))
	rows := must(db.QueryContext(ctx, "SELECT key FROM flags WHERE enabled"))
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil || key != "dark-mode" {
			t.Errorf("%q, %v", key, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}

// TestAServiceSeesItsDatabaseByName runs small services of the kinds that there
// are, with the recommended chain. Every span and measurement names the database,
// nothing is called by another name, and there is one circuit.
func TestAServiceSeesItsDatabaseByName(t *testing.T) {
	t.Parallel()
	postgres := func(t testing.TB) dbtest.Database { return dbtest.Postgres(t).Database(t) }
	mariadb := func(t testing.TB) dbtest.Database { return dbtest.MariaDB(t).Database(t) }
	for name, s := range map[string]service{
		"lib/pq by a connector":   {sp.PostgreSQL, postgres, feeds, []string{"INSERT feeds", "INSERT entries", "SELECT entries"}},
		"a pool and River":        {sp.PostgreSQL, postgres, jobs, []string{"SELECT INSERT river_job SELECT", "SELECT river_job"}},
		"MySQL by a name":         {sp.MariaDB, mariadb, memos, []string{"INSERT memo", "SELECT memo"}},
		"otelsql, by docs' words": {sp.PostgreSQL, postgres, flags, []string{"INSERT flags", "SELECT flags"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, c := s.server(t), collect(t)
			recommended := must(preset.New(preset.WithMeterProvider(c.meters), preset.WithTracing(tracing.WithTracerProvider(c.traces))))
			defer recommended.Close() //nolint:errcheck // the test is over
			ctx, request := c.traces.Tracer("service").Start(t.Context(), "request")
			s.run(t, ctx, d, recommended.Chain())
			request.End()
			s.checkSpans(t, d, c)
			s.checkMetrics(t, d, c)
			s.checkCircuits(t, d, recommended)
		})
	}
}

func (s service) checkSpans(t *testing.T, d dbtest.Database, c *telemetry) {
	t.Helper()
	seen := map[string]bool{}
	for _, span := range c.take() {
		if span.SpanKind != trace.SpanKindClient {
			continue
		}
		seen[span.Name] = true
		got := []string{attributeOf(span, "db.system.name"), attributeOf(span, "db.namespace"), attributeOf(span, "server.address"), attributeOf(span, "server.port")}
		if want := []string{string(s.system), d.Name, "127.0.0.1", strconv.Itoa(d.Port)}; strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("span %q is of %v, the database is %v", span.Name, got, want)
		}
	}
	for _, name := range append(s.spans, "connect "+d.Name) {
		if !seen[name] {
			t.Errorf("no span %q among %v", name, seen)
		}
	}
}

func (s service) checkMetrics(t *testing.T, d dbtest.Database, c *telemetry) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := c.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	circuits := 0
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, set := range attributeSets(m) {
				system, ok := set.Value("db.system.name")
				if !ok {
					continue
				}
				if strings.Contains(m.Name, "breaker") {
					circuits++
				}
				namespace, _ := set.Value("db.namespace")
				if system.AsString() != string(s.system) || namespace.AsString() != d.Name {
					t.Errorf("%s is measured of %s/%s", m.Name, system.AsString(), namespace.AsString())
				}
			}
		}
	}
	if circuits == 0 {
		t.Error("no circuit is measured")
	}
}

func (s service) checkCircuits(t *testing.T, d dbtest.Database, p *preset.Preset) {
	t.Helper()
	w := httptest.NewRecorder()
	p.Page().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/?format=json", nil))
	var page struct {
		Circuits []struct {
			Target string `json:"target"`
		} `json:"breakers"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	target := sp.Target{System: s.system, Host: "127.0.0.1", Port: d.Port, Namespace: d.Name, User: d.User}
	if len(page.Circuits) != 1 || page.Circuits[0].Target != target.String() {
		t.Errorf("circuits %+v, want one of %s", page.Circuits, target.String())
	}
	if got := p.Breaker().State(&target); got != breaker.StateClosed {
		t.Errorf("the database's circuit is %v", got)
	}
}
