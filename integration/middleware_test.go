package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

// endless is a statement of each system that takes longer than a test.
var endless = map[sp.System]string{
	sp.PostgreSQL: "SELECT pg_sleep(600)",
	sp.MariaDB:    "SELECT SLEEP(600)",
	sp.SQLite:     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT COUNT(*) FROM n",
}

// many is a query of 40,000 rows, more than a driver reads ahead.
const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200) " +
	"SELECT a.i, 'some text that takes room in the buffers of a connection' FROM n a, n b"

// TestTimeoutEndsAnEndlessStatement holds on real drivers, each of which has
// its own way to say that its context ended.
func TestTimeoutEndsAnEndlessStatement(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		db := d.open(t, only(endless[d.system], must(timeout.New(100*time.Millisecond))))
		db.SetMaxOpenConns(1)
		for name, run := range map[string]func() error{
			"a query": func() error {
				var v any
				return db.QueryRowContext(t.Context(), endless[d.system]).Scan(&v)
			},
			"a unit of work": func() error {
				return db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, endless[d.system])
					return err
				})
			},
		} {
			err := run()
			if _, ok := errors.AsType[*timeout.Error](err); !ok {
				t.Fatalf("%s: error %v, want a timeout", name, err)
			}
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v matches what it should not, or not what it should", name, err)
			}
			if v := fault.Of(err, fault.Situation{}); v.Class != fault.ClassAttemptTimeout {
				t.Errorf("%s: verdict %+v on %v", name, v, err)
			}
			// The pool is not the worse for it.
			if got := scalar[int](t, db, "SELECT 1"); got != 1 {
				t.Errorf("%s: SELECT 1 = %d afterwards", name, got)
			}
		}
	})
}

// only lets an interceptor see one statement, so that a limit on it says nothing
// of how long others take on a busy machine.
func only(statement string, i sp.Interceptor) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		seen := i.Wrap(next)
		return func(ctx context.Context, call *sp.Call) error {
			if call.Text == statement {
				return seen(ctx, call)
			}
			return next(ctx, call)
		}
	})
}

// TestRowsAndTransactionsOutliveTheTimeout reads what was handed over in time
// after the limit has passed.
func TestRowsAndTransactionsOutliveTheTimeout(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		dsn := d.dsn(t)
		mustExec(t, openDSN(t, d.driver, dsn), "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
		// A machine that is too busy to begin in time gets a longer limit.
		var tx *sql.Tx
		var rows *sql.Rows
		limit := 500 * time.Millisecond
		for ; ; limit *= 2 {
			db := openDSN(t, d.driver, dsn, must(timeout.New(limit)))
			var err error
			if tx, err = db.BeginTx(t.Context(), nil); err == nil {
				defer tx.Rollback()
				rows, err = tx.QueryContext(t.Context(), many)
			}
			if err == nil {
				break
			}
			if _, late := errors.AsType[*timeout.Error](err); !late || limit > time.Minute {
				t.Fatal(err)
			}
		}
		defer rows.Close()
		<-time.After(limit + limit/10)
		n := 0
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil || n != 40_000 {
			t.Errorf("%d rows, %v; want 40000", n, err)
		}
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO notes VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Errorf("COMMIT after the limit: %v", err)
		}
		if got := scalar[int](t, openDSN(t, d.driver, dsn), "SELECT COUNT(*) FROM notes"); got != 1 {
			t.Errorf("%d notes, want the one that was committed", got)
		}
	})
}

// TestAPanicBelowIsRecovered is about a panic between database/sql and the
// driver, after which the pool has to work on.
func TestAPanicBelowIsRecovered(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		broken := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				if err := next(ctx, call); err != nil {
					return err
				}
				if call.Marks.Name == "break" {
					panic("an interceptor's mistake")
				}
				return nil
			}
		})
		db := d.open(t, must(recovery.New()), broken)
		db.SetMaxOpenConns(1)
		ctx := sp.WithCallName(t.Context(), "break")
		for name, run := range map[string]func() error{
			"ping":  func() error { return db.PingContext(ctx) },
			"exec":  func() error { _, err := db.ExecContext(ctx, "SELECT 1"); return err },
			"query": func() error { _, err := db.QueryContext(ctx, many); return err },
			"row":   func() error { var n int; return db.QueryRowContext(ctx, "SELECT 1").Scan(&n) },
			"begin": func() error { _, err := db.BeginTx(ctx, nil); return err },
			"unit": func() error {
				return db.RunInTx(t.Context(), nil, func(context.Context, *sql.Tx) error { panic("the caller's mistake") })
			},
			// On the connection, inside database/sql.
			"exec below":    func() error { _, err := db.DB.ExecContext(ctx, "SELECT 1"); return err },
			"query below":   func() error { _, err := db.DB.QueryContext(ctx, many); return err },
			"begin below":   func() error { _, err := db.DB.BeginTx(ctx, nil); return err },
			"prepare below": func() error { _, err := db.DB.PrepareContext(ctx, "SELECT 1"); return err },
		} {
			if _, ok := errors.AsType[*recovery.PanicError](run()); !ok {
				t.Errorf("%s: want a *PanicError", name)
			}
			if got := scalar[int](t, db, "SELECT 1"); got != 1 {
				t.Errorf("%s: SELECT 1 = %d afterwards", name, got)
			}
		}
	})
}
