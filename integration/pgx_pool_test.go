package integration_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// openPGX opens a pool of pgx on a database through chain. Each of change
// changes its configuration.
func openPGX(t testing.TB, url string, chain []sp.Interceptor, change ...func(*pgxpool.Config)) *pgxdb.Pool {
	t.Helper()
	config := must(pgxpool.ParseConfig(url))
	for _, f := range change {
		f(config)
	}
	pool, err := pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(chain...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// freshPGX is openPGX on a database of its own.
func freshPGX(t testing.TB, chain []sp.Interceptor, change ...func(*pgxpool.Config)) *pgxdb.Pool {
	t.Helper()
	return openPGX(t, dbtest.Postgres(t).Database(t).URL(), chain, change...)
}

// size limits a pool.
func size(n int32) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) { c.MaxConns = n }
}

// pgxExecutor is what runs a statement of pgx.
type pgxExecutor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// pgxExec runs statements that have to succeed.
func pgxExec(t testing.TB, db pgxExecutor, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// pgxScalar reads one value.
func pgxScalar[T any](t testing.TB, db pgxExecutor, query string, args ...any) (v T) {
	t.Helper()
	if err := db.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

// eventually waits until a condition holds that another process brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !holds() {
		if ctx.Err() != nil {
			t.Fatalf("%s: not after 20 s", what)
		}
		wait(ctx, 2*time.Millisecond)
	}
}
