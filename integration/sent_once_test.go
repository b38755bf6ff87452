package integration_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/faultproxy"
	"github.com/sessionproxy/sessionproxy/internal/pgscript"
	"github.com/sessionproxy/sessionproxy/retry"
)

// fullChain is what a service has: everything that could repeat a statement.
func fullChain(w *watch) []sp.Interceptor {
	return []sp.Interceptor{w, must(retry.New(retry.WithAttempts(5))), must(breaker.New())}
}

// TestADyingServerGetsAWriteOnce is about the live hazard: with pgx 5.9 to
// 5.12, database/sql sends an UPDATE three times to a server that reads it and
// dies. Each moment of death, both protocols, both drivers, at the level of
// the driver and of the handle.
func TestADyingServerGetsAWriteOnce(t *testing.T) {
	t.Parallel()
	moments := []pgscript.Moment{pgscript.OnQuery, pgscript.InRows, pgscript.AfterAnswer}
	for _, driverName := range []string{"pgx", "postgres"} {
		for _, moment := range moments {
			for _, reset := range []bool{false, true} {
				for _, args := range [][]any{nil, {"x"}} {
					name := fmt.Sprintf("%s/%s/reset=%t/args=%d", driverName, moment, reset, len(args))
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						dieOnce(t, driverName, moment, reset, args)
					})
				}
			}
		}
	}
}

func dieOnce(t *testing.T, driverName string, moment pgscript.Moment, reset bool, args []any) {
	t.Helper()
	text := "UPDATE counters SET n = n + 1"
	if len(args) > 0 {
		text += " WHERE id = $1"
	}
	if moment == pgscript.InRows {
		text += " RETURNING n"
	}
	for _, chain := range [][]sp.Interceptor{nil, fullChain(&watch{})} {
		for _, handle := range []bool{false, true} {
			s := pgscript.Start(t)
			db := openDSN(t, driverName, s.URL(), chain...)
			if err := db.PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			var level executor = db.DB
			if handle {
				level = db
			}
			s.DieAt(moment, "UPDATE", reset)
			_, err := level.ExecContext(t.Context(), text, args...)
			if errors.Is(err, driver.ErrBadConn) {
				t.Errorf("%v: database/sql would send it again", err)
			}
			if err == nil && moment == pgscript.OnQuery {
				t.Error("no error")
			}
			if n := s.Received("UPDATE"); n != 1 {
				t.Errorf("%d interceptors, handle %t: the server got the write %d times (%v)", len(chain), handle, n, err)
			}
			// The pool recovers by itself.
			if _, err := level.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil && moment != pgscript.AfterAnswer {
				t.Errorf("the next statement: %v", err)
			}
		}
	}
}

// TestWithoutUsTheHazardIsReal shows what the guard is for: if pgx is mended,
// this fails, and the guard may be thought over.
func TestWithoutUsTheHazardIsReal(t *testing.T) {
	t.Parallel()
	s := pgscript.Start(t)
	db := must(sql.Open("pgx", s.URL()))
	defer db.Close()
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.DieAt(pgscript.OnQuery, "UPDATE", false)
	_, err := db.ExecContext(t.Context(), "UPDATE counters SET n = n + 1")
	t.Logf("one Exec through pgx alone: received %d times, error %v", s.Received("UPDATE"), err)
	if s.Received("UPDATE") < 2 {
		t.Error("pgx and database/sql sent the write once")
	}
}

// TestAMarkedWriteIsSentAgain is the other side: the caller says that it may.
func TestAMarkedWriteIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, driverName := range []string{"pgx", "postgres"} {
		t.Run(driverName, func(t *testing.T) {
			t.Parallel()
			s := pgscript.Start(t)
			db := openDSN(t, driverName, s.URL(), fullChain(&watch{})...)
			s.DieAt(pgscript.OnQuery, "UPDATE", false)
			_, err := db.ExecContext(sp.WithIdempotent(t.Context()), "UPDATE counters SET n = 7 WHERE id = $1", "x")
			if err != nil || s.Received("UPDATE") != 2 {
				t.Errorf("received %d times, error %v", s.Received("UPDATE"), err)
			}
		})
	}
}

// TestAWriteThroughMySQLIsSentOnce cuts a connection to a real MariaDB after
// the write was carried out and before its answer came.
func TestAWriteThroughMySQLIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, params := range map[string][]string{"prepared": nil, "interpolated": {"interpolateParams=true"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := dbtest.MariaDB(t).Database(t)
			p := faultproxy.Start(t, "tcp", fmt.Sprintf("%s:%d", direct.Host, direct.Port))
			for _, handle := range []bool{false, true} {
				db := openDSN(t, "mysql", throughProxy(direct.DSN(params...), p), fullChain(&watch{})...)
				mustExec(t, db, "CREATE TABLE IF NOT EXISTS counters (n INTEGER)", "DELETE FROM counters", "INSERT INTO counters VALUES (0)")
				var level executor = db.DB
				if handle {
					level = db
				}
				// A prepared statement's text is sent with its preparation: the cut
				// falls on what carries the argument.
				p.DropReplyTo("n + 1")
				if params == nil {
					p.DropReplyTo("marker-of-the-argument")
				}
				_, err := level.ExecContext(t.Context(), "UPDATE counters SET n = n + 1 WHERE ? <> ''", "marker-of-the-argument")
				if err == nil || !errors.Is(err, mysql.ErrInvalidConn) {
					t.Errorf("error %v, want the driver's ErrInvalidConn", err)
				}
				if n := scalar[int](t, db, "SELECT n FROM counters"); n != 1 {
					t.Errorf("handle %t: the write was carried out %d times", handle, n)
				}
			}
		})
	}
}

func throughProxy(dsn string, p *faultproxy.Proxy) string {
	before, rest, _ := strings.Cut(dsn, "@tcp(")
	_, after, _ := strings.Cut(rest, ")")
	return fmt.Sprintf("%s@tcp(127.0.0.1:%d)%s", before, p.Port(), after)
}

// TestALostCommitIsUnknownAndNotRepeated cuts the connection after a real
// server has committed and before the client hears of it.
func TestALostCommitIsUnknownAndNotRepeated(t *testing.T) {
	t.Parallel()
	for _, d := range databases[:3] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, d)
			runs := 0
			insert := func(ctx context.Context, tx *sql.Tx) error {
				runs++
				_, err := tx.ExecContext(ctx, "INSERT INTO ledger VALUES (1)")
				return err
			}
			p.DropReplyTo("commit")
			err := db.RunInTx(t.Context(), nil, insert)
			if !errors.Is(err, sp.ErrCommitUnknown) {
				t.Errorf("error %v, want ErrCommitUnknown", err)
			}
			if rows := scalar[int](t, db, "SELECT COUNT(*) FROM ledger"); runs != 1 || rows != 1 || p.Cuts() != 1 {
				t.Errorf("performed %d times, %d rows, %d cuts; want 1 of each", runs, rows, p.Cuts())
			}

			// A plain transaction gets the same answer.
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := insert(t.Context(), tx); err != nil {
				t.Fatal(err)
			}
			p.DropReplyTo("commit")
			if err := tx.Commit(); !errors.Is(err, sp.ErrCommitUnknown) {
				t.Errorf("Tx.Commit: %v, want ErrCommitUnknown", err)
			}
		})
	}
}

// TestALostCommitIsVerified lets the caller find out.
func TestALostCommitIsVerified(t *testing.T) {
	t.Parallel()
	for _, d := range databases[:3] {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db, p := behindProxy(t, d)
			verified := 0
			ctx := sp.WithVerifyCommit(t.Context(), func(ctx context.Context) (bool, error) {
				verified++
				var n int
				err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM ledger").Scan(&n)
				return n > 0, err
			})
			runs := 0
			unit := func(ctx context.Context, tx *sql.Tx) error {
				runs++
				_, err := tx.ExecContext(ctx, "INSERT INTO ledger VALUES (1)")
				return err
			}
			p.DropReplyTo("commit")
			if err := db.RunInTx(ctx, nil, unit); err != nil || runs != 1 || verified != 1 {
				t.Errorf("a commit that was carried out: error %v after %d runs, verified %d times", err, runs, verified)
			}

			mustExec(t, db, "DELETE FROM ledger")
			runs, verified = 0, 0
			p.DropRequest("commit")
			if err := db.RunInTx(ctx, nil, unit); err != nil || runs != 2 || verified != 1 {
				t.Errorf("a commit that never arrived: error %v after %d runs, verified %d times", err, runs, verified)
			}
			if rows := scalar[int](t, db, "SELECT COUNT(*) FROM ledger"); rows != 1 {
				t.Errorf("%d rows, want 1", rows)
			}
		})
	}
}

// behindProxy opens a database of d through a proxy, with an empty ledger.
func behindProxy(t *testing.T, d database) (*sqldb.DB, *faultproxy.Proxy) {
	t.Helper()
	var server *dbtest.Server
	if d.system == sp.MariaDB {
		server = dbtest.MariaDB(t)
	} else {
		server = dbtest.Postgres(t)
	}
	direct := server.Database(t)
	p := faultproxy.Start(t, "tcp", fmt.Sprintf("%s:%d", direct.Host, direct.Port))
	dsn := throughProxy(direct.DSN(), p)
	if d.system == sp.PostgreSQL {
		dsn = strings.Replace(direct.DSN(), fmt.Sprintf(":%d/", direct.Port), fmt.Sprintf(":%d/", p.Port()), 1)
	}
	db := openDSN(t, d.driver, dsn, fullChain(&watch{})...)
	mustExec(t, db, "CREATE TABLE ledger (n INTEGER)")
	return db, p
}
