package integration_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// TestAWriteInAReadOnlyUnitIsNotRepeated is that a server which refuses a write, as
// it was asked to, is not taken for one that a failover has left behind.
func TestAWriteInAReadOnlyUnitIsNotRepeated(t *testing.T) {
	t.Parallel()
	chain := sp.NewChain(must(retry.New()))
	postgres, mariadb := dbtest.Postgres(t).Database(t), dbtest.MariaDB(t).Database(t)
	for _, db := range []dbtest.Database{postgres, mariadb} {
		if _, err := db.Query(t.Context(), "CREATE TABLE t (a int)"); err != nil {
			t.Fatal(err)
		}
	}
	units := map[string]func(t *testing.T, attempt func()) error{
		"pgxdb": func(t *testing.T, attempt func()) error {
			pool, err := pgxdb.NewPool(t.Context(), postgres.URL(), chain)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			return pool.RunInTx(t.Context(), pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(ctx context.Context, tx pgx.Tx) error {
				attempt()
				_, err := tx.Exec(ctx, "INSERT INTO t VALUES (1)")
				return err
			})
		},
	}
	for name, dsn := range map[string][2]string{"sqldb on PostgreSQL": {"pgx", postgres.URL()}, "sqldb on MariaDB": {"mysql", mariadb.DSN()}} {
		units[name] = func(t *testing.T, attempt func()) error {
			raw, err := sqldb.Open(dsn[0], dsn[1], chain)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			db, err := sqldb.Wrap(raw)
			if err != nil {
				t.Fatal(err)
			}
			return db.RunInTx(t.Context(), &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, tx *sql.Tx) error {
				attempt()
				_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (1)")
				return err
			})
		}
	}
	for name, run := range units {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			err := run(t, func() { attempts++ })
			if v := fault.Of(err, fault.Situation{InTx: true}); v.Class != fault.ClassReadOnly || attempts != 1 {
				t.Errorf("%d attempts, class %s: %v", attempts, v.Class, err)
			}
		})
	}
}
