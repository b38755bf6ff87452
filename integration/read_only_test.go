package integration_test

import (
	"context"
	"database/sql"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// TestAConnectionThatOnlyReadsIsReplaced has writes fail on a connection that
// is sound, but whose server takes no writes any more: after a failover that
// is what a pool is full of.
func TestAConnectionThatOnlyReadsIsReplaced(t *testing.T) {
	t.Parallel()
	for _, d := range databases[:3] { // SQLite has no server to fail over
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			readOnly := "SET default_transaction_read_only = on"
			if d.system == sp.MariaDB {
				readOnly = "SET SESSION TRANSACTION READ ONLY"
			}
			db := d.open(t, &watch{})
			db.SetMaxOpenConns(1)
			mustExec(t, db, "CREATE TABLE writes (n int)")
			write := func(ctx context.Context, db executor) error {
				_, err := db.ExecContext(ctx, "INSERT INTO writes VALUES (1)")
				return err
			}
			for name, perform := range map[string]func(ctx context.Context) error{
				"driver level": func(ctx context.Context) error { return write(ctx, db.DB) },
				"handle":       func(ctx context.Context) error { return write(ctx, db) },
				"unit of work": func(ctx context.Context) error {
					return db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error { return write(ctx, tx) })
				},
			} {
				if name == "unit of work" && d.driver == "postgres" {
					continue // lib/pq begins READ WRITE, whatever the default is
				}
				mustExec(t, db, readOnly)
				if err := perform(t.Context()); err == nil || fault.Of(err, fault.Situation{}).Class != fault.ClassReadOnly {
					t.Fatalf("%s: error %v, want that of a read-only transaction", name, err)
				}
				if err := perform(t.Context()); err != nil {
					t.Fatalf("%s: the next one met the same connection: %v", name, err)
				}
			}
		})
	}
}
