package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// cancelable is an operation that checks what it gets: an answer to another
// query is the worst that a cancelled one can leave behind.
type cancelable func(ctx context.Context, db *pgxdb.Pool, n int) error

var cancelables = []cancelable{
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // one row
		var got int
		if err := db.QueryRow(ctx, "SELECT $1::int FROM pg_sleep(0.001)", n).Scan(&got); err != nil {
			return err
		}
		return same(got, n)
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // many rows
		rows, err := db.Query(ctx, "SELECT $1::int FROM generate_series(1, 200), pg_sleep(0.001)", n)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return err
		}
		return errors.Join(same(len(all), 200), same(all[199], n))
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // rows that are left early
		rows, err := db.Query(ctx, "SELECT $1::int FROM generate_series(1, 200), pg_sleep(0.001)", n)
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			return rows.Err()
		}
		var got int
		if err := rows.Scan(&got); err != nil {
			return err
		}
		return same(got, n)
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // the simple protocol
		var got int
		if err := db.QueryRow(ctx, "SELECT $1::int FROM pg_sleep(0.001)", pgx.QueryExecModeSimpleProtocol, n).Scan(&got); err != nil {
			return err
		}
		return same(got, n)
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // a write
		tag, err := db.Exec(ctx, "UPDATE slots SET n = $2 WHERE id = $1", n%64, n)
		if err != nil {
			return err
		}
		return same(int(tag.RowsAffected()), 1)
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // a batch
		batch := &pgx.Batch{}
		for i := range 10 {
			batch.Queue("SELECT $1::int", n+i)
		}
		results := db.SendBatch(ctx, batch)
		for i := range 10 {
			var got int
			if err := results.QueryRow().Scan(&got); err != nil {
				_ = results.Close()
				return err
			}
			if err := same(got, n+i); err != nil {
				return errors.Join(err, results.Close())
			}
		}
		return results.Close()
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // a transaction
		tx, err := db.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx) // with the context that may be cancelled by now
		if _, err := tx.Exec(ctx, "UPDATE slots SET n = $2 WHERE id = $1", n%64, n); err != nil {
			return err
		}
		return tx.Commit(ctx)
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // a unit of work
		return db.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
			var got int
			if err := tx.QueryRow(ctx, "SELECT $1::int FROM pg_sleep(0.001)", n).Scan(&got); err != nil {
				return err
			}
			return same(got, n)
		})
	},
	func(ctx context.Context, db *pgxdb.Pool, n int) error { // a connection of one's own
		return db.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
			var got int
			if err := c.QueryRow(ctx, "SELECT $1::int FROM pg_sleep(0.001)", n).Scan(&got); err != nil {
				return err
			}
			return same(got, n)
		})
	},
}

// errMixedUp is an answer to another query.
var errMixedUp = errors.New("mixed up")

func same(got, want int) error {
	if got != want {
		return fmt.Errorf("%w: %d instead of %d", errMixedUp, got, want)
	}
	return nil
}

// TestTenThousandCancelledQueriesLeaveThePoolSound cancels at random moments:
// before a connection is had, before the query is sent, while it runs, while
// rows are read, too late. pgx ends the connection of a query that it has sent;
// told so, it asks the server to cancel the query instead and keeps the
// connection, which takes longer.
func TestTenThousandCancelledQueriesLeaveThePoolSound(t *testing.T) {
	t.Parallel()
	t.Run("connections are cut", func(t *testing.T) {
		t.Parallel()
		cancelMany(t, 9_700, func(*pgxpool.Config) {})
	})
	t.Run("connections are kept", func(t *testing.T) {
		t.Parallel()
		cancelMany(t, 300, func(c *pgxpool.Config) {
			c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
				return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 10 * time.Second}
			}
		})
	})
}

func cancelMany(t *testing.T, queries int64, change func(*pgxpool.Config)) {
	t.Helper()
	const workers, conns = 9, 8
	w := &watch{}
	server := dbtest.Postgres(t).Database(t)
	pool := openPGX(t, server.URL("application_name=cancelled"), fullChain(w), size(conns), change)
	pgxExec(t, pool, "CREATE TABLE slots (id int PRIMARY KEY, n int NOT NULL)",
		"INSERT INTO slots SELECT i, 0 FROM generate_series(0, 63) AS i")

	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := next.Add(1); n <= queries; n = next.Add(1) {
				err := cancelled(t.Context(), pool, int(n))
				if err == nil {
					continue
				}
				failed.Add(1)
				if errors.Is(err, errMixedUp) || !errors.Is(err, context.Canceled) && fault.Code(err) != "57014" {
					t.Errorf("query %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d were cut off; the pool made %d connections", failed.Load(), queries, pool.Stat().NewConnsCount())
	if failed.Load() < queries/10 || failed.Load() > queries*99/100 {
		t.Error("too few or too many were cut off for this to show anything")
	}
	// A connection that nobody waits for any more is opened to its end.
	eventually(t, "every call is finished", func() bool { return w.open() == 0 })
	checkSound(t, pool, server, conns)
}

// cancelled performs an operation that is cancelled after 20 µs to 40 ms; short
// times are as likely as long ones are, to the power of ten.
func cancelled(ctx context.Context, pool *pgxdb.Pool, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	after := 20 * time.Microsecond * time.Duration(math.Pow(2000, rand.Float64()))
	timer := time.AfterFunc(after, cancel)
	defer timer.Stop()
	return cancelables[n%len(cancelables)](ctx, pool, n)
}

// checkSound uses every connection of a pool at once and asks the server what
// it thinks of them.
func checkSound(t *testing.T, pool *pgxdb.Pool, server dbtest.Database, conns int) {
	t.Helper()
	// Connections that were cut off are closed in the background.
	eventually(t, "all connections of the pool are idle", func() bool {
		s := pool.Stat()
		return s.AcquiredConns() == 0 && s.ConstructingConns() == 0 && s.TotalConns() == s.IdleConns() && s.TotalConns() <= int32(conns)
	})
	pids := map[int]bool{}
	for range conns {
		c, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		var pid int
		if err := c.QueryRow(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		pids[pid] = true
	}
	if len(pids) != conns {
		t.Errorf("%d connections lead to %d sessions", conns, len(pids))
	}
	if s := pool.Stat(); s.AcquiredConns() != int32(conns) || s.TotalConns() != int32(conns) {
		t.Errorf("all in use: %d connections, %d in use", s.TotalConns(), s.AcquiredConns())
	}
	watcher := must(pgx.Connect(t.Context(), server.URL()))
	defer watcher.Close(context.Background())
	// Sessions that were cut off end on their own.
	eventually(t, "the server has as many sessions as the pool, all idle", func() bool {
		return pgxScalar[bool](t, watcher, `SELECT count(*) = $1 AND bool_and(state = 'idle') FROM pg_stat_activity
			WHERE application_name = 'cancelled' AND datname = current_database()`, conns)
	})
}
