package pgxdb_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
)

// TestAConnectionThatOnlyReadsIsNotUsedAgain has a write fail on a connection
// that is sound but leads to what is not the primary any more, as after a
// failover.
func TestAConnectionThatOnlyReadsIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	const write = "INSERT INTO t VALUES (1)"
	for name, fail := range map[string]func(ctx context.Context, pool *pgxdb.Pool) error{
		"statement": func(ctx context.Context, pool *pgxdb.Pool) error {
			_, err := pool.Exec(ctx, write)
			return err
		},
		"query": func(ctx context.Context, pool *pgxdb.Pool) error {
			return pool.QueryRow(ctx, write+" RETURNING n").Scan(new(int))
		},
		"batch": func(ctx context.Context, pool *pgxdb.Pool) error {
			batch := &pgx.Batch{}
			batch.Queue(write)
			return pool.SendBatch(ctx, batch).Close()
		},
		"unit of work": func(ctx context.Context, pool *pgxdb.Pool) error {
			return pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, write)
				return err
			})
		},
		"connection": func(ctx context.Context, pool *pgxdb.Pool) error {
			return pool.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
				_, err := c.Exec(ctx, write)
				if c.IsClosed() {
					t.Error("the connection was closed under its user")
				}
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, _ := newPool(t)
			exec(t, pool, "CREATE TABLE t (n int)")
			exec(t, pool, "SET default_transaction_read_only = on")
			if err := fail(t.Context(), pool); fault.Code(err) != "25006" {
				t.Fatalf("error %v, want that of a read-only transaction", err)
			}
			sound(t, pool)
			exec(t, pool, write)
			if n := pool.Stat().NewConnsCount(); n != 2 {
				t.Errorf("%d connections were made, want 2", n)
			}
		})
	}
}
