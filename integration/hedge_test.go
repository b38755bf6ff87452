package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// TestAHedgedQueryDoesNotWaitForTheSlowOne has the first of two attempts sleep
// for an hour on the server, which a sequence tells from the second.
func TestAHedgedQueryDoesNotWaitForTheSlowOne(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"pgx", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			hedge, err := middleware.Hedge(middleware.WithHedgeDelay(200 * time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			won := 0
			listen := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
				return func(ctx context.Context, call *sp.Call) error {
					call.OnEvent(func(e sp.Event) {
						if e.Kind == middleware.EventHedge && e.Detail == "won" {
							won++
						}
					})
					call.OnFinish(func(error) {})
					return next(ctx, call)
				}
			})
			server := dbtest.Postgres(t).Database(t)
			db := openDSN(t, driver, server.DSN(), listen, hedge)
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

// statementRunner is what runs a statement without rows.
type statementRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// prepareSlowOnce makes a function that returns 1, 2 and 3, the first time after
// an hour.
func prepareSlowOnce(t *testing.T, db statementRunner) {
	t.Helper()
	for _, text := range []string{
		"CREATE SEQUENCE turns",
		`CREATE FUNCTION slow_once() RETURNS SETOF int LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('turns') = 1 THEN PERFORM pg_sleep(3600); END IF;
			RETURN QUERY SELECT generate_series(1, 3);
		END $$`,
	} {
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
