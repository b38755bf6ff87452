package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
)

// TestAHedgedQueryDoesNotWaitForTheSlowOne has the first of two attempts sleep
// for an hour on the server, which a sequence tells from the second.
func TestAHedgedQueryDoesNotWaitForTheSlowOne(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			hedger, err := hedge.New(hedge.WithDelay(200 * time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			won := 0
			listen := countWins(&won)
			server := dbtest.Postgres(t).Database(t)
			db := openDSN(t, driver, server.DSN(), listen, hedger)
			prepareSlowOnce(t, db)
			ctx := sp.WithReadOnly(t.Context())

			rows, err := db.QueryContext(ctx, "SELECT n FROM slow_once() AS n")
			if err != nil {
				t.Fatal(err)
			}
			sum := sumOf(t, rows)
			if sum != 6 || won != 1 {
				t.Errorf("sum %d, the second attempt won %d times", sum, won)
			}
			var n int
			if err := db.QueryRowContext(ctx, "SELECT count(*) FROM slow_once()").Scan(&n); err != nil || n != 3 {
				t.Errorf("a query that is fast enough: %d, error %v", n, err)
			}
			if used := db.Stats().InUse; used != 0 {
				t.Errorf("%d connections are still in use", used)
			}
		})
	}
}

// countWins counts the calls whose second attempt brought the result.
func countWins(won *int) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnEvent(func(e sp.Event) {
				if e.Kind == hedge.Event && e.Detail == "won" {
					*won++
				}
			})
			call.OnFinish(func(error) {})
			return next(ctx, call)
		}
	})
}

// TestAHedgedQueryOfAPGXPool does so on a pool of pgx, under tracing: each
// attempt takes a connection of its own, and both give it back.
func TestAHedgedQueryOfAPGXPool(t *testing.T) {
	t.Parallel()
	hedger := must(hedge.New(hedge.WithDelay(200 * time.Millisecond)))
	won := 0
	c := collect(t)
	pool := openPGX(t, dbtest.Postgres(t).Database(t).URL(), []sp.Interceptor{c.tracing, countWins(&won), hedger})
	pgxExec(t, pool, slowOnce...)
	ctx, span := c.under(t)
	ctx = sp.WithReadOnly(ctx)

	rows, err := pool.Query(ctx, "SELECT n FROM slow_once() AS n")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || !slices.Equal(sum, []int{1, 2, 3}) || won != 1 {
		t.Errorf("%v, error %v, the second attempt won %d times", sum, err, won)
	}
	var n int
	if err := pool.QueryRow(ctx, "SELECT count(*) FROM slow_once()").Scan(&n); err != nil || n != 3 {
		t.Errorf("a query that is fast enough: %d, error %v", n, err)
	}
	err = pool.QueryRow(ctx, "SELECT 1/0").Scan(&n)
	if pe, ok := errors.AsType[*pgconn.PgError](err); !ok || pe.Code != "22012" {
		t.Errorf("error %v, want the server's", err)
	}
	// pgx closes the connection of the cancelled attempt in the background.
	eventually(t, "the connections come back", func() bool { return pool.Stat().AcquiredConns() == 0 })
	queries := 0
	for _, s := range c.take() {
		if s.Parent.SpanID() == span.SpanContext().SpanID() && strings.HasPrefix(s.Name, "SELECT") {
			queries++
		}
	}
	if queries != 3 {
		t.Errorf("%d spans of queries, want one for each of 3", queries)
	}
}

// slowOnce makes a function that returns 1, 2 and 3, the first time after an
// hour.
var slowOnce = []string{
	"CREATE SEQUENCE turns",
	`CREATE FUNCTION slow_once() RETURNS SETOF int LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('turns') = 1 THEN PERFORM pg_sleep(3600); END IF;
			RETURN QUERY SELECT generate_series(1, 3);
		END $$`,
}

// statementRunner is what runs a statement without rows.
type statementRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// prepareSlowOnce does so through database/sql.
func prepareSlowOnce(t *testing.T, db statementRunner) {
	t.Helper()
	for _, text := range slowOnce {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}

func sumOf(t *testing.T, rows *sql.Rows) (sum int) {
	t.Helper()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	return sum
}
