package integration_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestUniqueViolationsLeaveTheBreakerClosed repeats the caller's own mistake
// 10,000 times.
func TestUniqueViolationsLeaveTheBreakerClosed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d database) {
		brk := must(breaker.New())
		db := d.open(t, brk)
		mustExec(t, db, "CREATE TABLE users (email VARCHAR(100) PRIMARY KEY)", "INSERT INTO users VALUES ('ada@example.com')")
		for range 10_000 {
			_, err := db.ExecContext(context.Background(), "INSERT INTO users VALUES ('ada@example.com')")
			if violation, ok := integrity.Of(err); !ok || violation.Kind != integrity.Unique {
				t.Fatalf("error %v, want a unique violation", err)
			}
		}
		if n := scalar[int](t, db, "SELECT COUNT(*) FROM users"); n != 1 {
			t.Errorf("%d users", n)
		}
	})
}

// TestAStoppedServerOpensTheBreakerAndARestartClosesIt kills a server under
// load and waits for its return.
func TestAStoppedServerOpensTheBreakerAndARestartClosesIt(t *testing.T) {
	t.Parallel()
	for _, kind := range []dbtest.Kind{dbtest.KindPostgres, dbtest.KindMariaDB} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := dbtest.Private(t, kind)
			driverName := map[dbtest.Kind]string{dbtest.KindPostgres: "pgx", dbtest.KindMariaDB: "mysql"}[kind]
			brk := must(breaker.New(breaker.WithOpenTime(200 * time.Millisecond)))
			db := openDSN(t, driverName, server.Database(t).DSN(), brk)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if got := scalar[int](t, db, "SELECT 1"); got != 1 {
				t.Fatal(got)
			}

			if err := server.Kill(); err != nil {
				t.Fatal(err)
			}
			var open *breaker.OpenError
			for n := 1; ; n++ {
				_, err := db.ExecContext(ctx, "SELECT 1")
				if err == nil {
					t.Fatal("a dead server answered")
				}
				if errors.As(err, &open) {
					t.Logf("open after %d calls: %v", n, err)
					break
				}
				if n == 1000 {
					t.Fatalf("the breaker is closed after %d failures, the last one %v", n, err)
				}
			}
			if !errors.Is(open, breaker.ErrOpen) || open.RetryAfter <= 0 || open.RetryAfter > 250*time.Millisecond { // by chance up to a quarter longer
				t.Errorf("%v: retry after %s", open, open.RetryAfter)
			}

			if err := server.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			target := db.Target()
			for brk.State(&target) != breaker.StateClosed {
				_, err := db.ExecContext(ctx, "SELECT 1")
				if ctx.Err() != nil {
					t.Fatalf("no recovery: %v", err)
				}
				if errors.As(err, &open) {
					wait(ctx, open.RetryAfter)
				}
			}
			if got := scalar[int](t, db, "SELECT 1"); got != 1 {
				t.Error(got)
			}
		})
	}
}

// wait waits for what a breaker said it takes.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
