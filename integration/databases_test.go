package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "modernc.org/sqlite"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// database is one driver on one real server.
type database struct {
	name   string // what tests call it
	driver string
	system sp.System
	dsn    func(t testing.TB) string
}

// databases are all pairs of driver and server that the tests run on.
var databases = []database{
	{"pgx on PostgreSQL", "pgx", sp.PostgreSQL, func(t testing.TB) string { return dbtest.Postgres(t).Database(t).DSN() }},
	{"lib/pq on PostgreSQL", "postgres", sp.PostgreSQL, func(t testing.TB) string { return dbtest.Postgres(t).Database(t).DSN() }},
	{"mysql on MariaDB", "mysql", sp.MariaDB, func(t testing.TB) string { return dbtest.MariaDB(t).Database(t).DSN("parseTime=true") }},
	{"modernc on SQLite", "sqlite", sp.SQLite, func(t testing.TB) string {
		return "file:" + dbtest.SQLite(t) + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_txlock=immediate"
	}},
}

// onEach runs a test on every database.
func onEach(t *testing.T, test func(t *testing.T, d database)) {
	t.Helper()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

// open opens a fresh database of d through chain.
func (d database) open(t testing.TB, chain ...sp.Interceptor) *sqldb.DB {
	t.Helper()
	return openDSN(t, d.driver, d.dsn(t), chain...)
}

func openDSN(t testing.TB, driverName, dsn string, chain ...sp.Interceptor) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(driverName, dsn, sp.NewChain(chain...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// bind writes the placeholders of a statement, ? everywhere, as d wants them.
func (d database) bind(text string) string {
	if d.system != sp.PostgreSQL {
		return text
	}
	var b strings.Builder
	n := 0
	for _, r := range text {
		if r == '?' {
			n++
			fmt.Fprintf(&b, "$%d", n)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// executor is what runs a statement.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// mustExec runs statements that have to succeed.
func mustExec(t testing.TB, db executor, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// scalar reads one value.
func scalar[T any](t testing.TB, db *sqldb.DB, query string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRowContext(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// must ends a test that could not be set up.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
