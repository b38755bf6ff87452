package integration_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestCockroachDBMayCommitBeforeDDL: from 25.1 on it commits what is open before a
// statement that changes the schema. PostgreSQL stands in for the server: what
// matters is that the unit takes its work for permanent.
func TestCockroachDBMayCommitBeforeDDL(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t).Database(t).DSN()
	mustExec(t, openPlain(t, "pgx", dsn), "CREATE FUNCTION conflict() RETURNS int LANGUAGE plpgsql AS"+
		" $$ BEGIN RAISE EXCEPTION 'a conflict' USING ERRCODE = '40001'; END $$")
	for _, system := range []sp.System{sp.PostgreSQL, sp.CockroachDB} {
		target := sp.Target{System: system, Namespace: "units"}
		chain := sp.NewChain(eagerRetry())
		db := must(sqldb.Wrap(must(sqldb.Open("pgx", dsn, chain, sqldb.WithTarget(target)))))
		defer db.Close()
		pool := must(pgxdb.NewPool(t.Context(), dsn, chain, pgxdb.WithTarget(target)))
		defer pool.Close()
		for text, keeps := range map[string]bool{"CREATE TABLE u (n int)": false, "SET LOCAL work_mem = '1MB'": true, "SELECT 1": true} {
			runs := 0
			fn := func(ctx context.Context, tx unitTx) error {
				if runs++; runs > 1 {
					return nil
				}
				if err := tx.exec(ctx, text); err != nil {
					return err
				}
				return tx.exec(ctx, "SELECT conflict()")
			}
			_ = db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error { return fn(ctx, unitSQL{tx}) })
			onSQL := runs
			runs = 0
			_ = pool.RunInTx(t.Context(), pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error { return fn(ctx, unitPgx{tx}) })
			want := 2
			if system == sp.CockroachDB && !keeps {
				want = 1
			}
			if onSQL != want || runs != want {
				t.Errorf("%s: %s: sqldb ran the unit %d times, pgxdb %d; want %d", system, text, onSQL, runs, want)
			}
		}
	}
}
