package integration_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// TestFaultNoWriter connects with target_session_attrs=read-write to a server that
// is not writable yet, as in the midst of a switchover, beside a port where
// nobody listens. The server becomes writable after the first failure.
func TestFaultNoWriter(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"pgxdb", "pgx", "postgres"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			server := dbtest.Private(t, dbtest.KindPostgres)
			admin := faultPostgresDrivers[0].open(t, server.Admin().DSN())
			dsn := server.Database(t).DSN()
			faultExec(t, admin, "SET default_transaction_read_only = off", "ALTER SYSTEM SET default_transaction_read_only = on")
			reload := func(want string) {
				t.Helper()
				faultExec(t, admin, "SELECT pg_reload_conf()")
				for ctx := t.Context(); ; { // until new sessions have it
					conn, err := faultPostgresDrivers[0].dial(ctx, server.Admin().DSN())
					faultMust(t, err)
					is, err := conn.ask(ctx, "SHOW default_transaction_read_only")
					conn.close()
					faultMust(t, err)
					if is == want {
						return
					}
				}
			}
			reload("on")
			var once sync.Once
			var first fault.Verdict
			promote := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
				return func(ctx context.Context, call *sp.Call) error {
					err := next(ctx, call)
					if err != nil && call.Op == sp.OpExec {
						once.Do(func() {
							first = call.Verdict(err)
							faultExec(t, admin, "ALTER SYSTEM RESET default_transaction_read_only")
							reload("off")
						})
					}
					return err
				}
			})
			chain := sp.NewChain(must(retry.New(retry.WithJitter(func(time.Duration) time.Duration { return 0 }))), promote)
			dsn += "&target_session_attrs=read-write"
			var err error
			if lane == "pgxdb" {
				pool := must(pgxdb.NewPool(t.Context(), dsn, chain))
				t.Cleanup(pool.Close)
				_, err = pool.Exec(t.Context(), "CREATE TABLE t (n int)")
			} else {
				db := must(sqldb.Wrap(must(sqldb.Open(lane, dsn, chain))))
				t.Cleanup(func() { _ = db.Close() })
				_, err = db.ExecContext(t.Context(), "CREATE TABLE t (n int)")
			}
			if err != nil {
				t.Error(err)
			}
			if first.Outcome != fault.OutcomeNotSent || first.Retry != fault.RetryReconnect || first.Breaker != fault.BreakerExclude || first.Class != fault.ClassConnect {
				t.Errorf("the first verdict: %+v", first)
			}
		})
	}
}

// TestFaultPgdriver reads the errors of bun's own driver, which have no SQLState
// method.
func TestFaultPgdriver(t *testing.T) {
	t.Parallel()
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(dbtest.Postgres(t).Database(t).DSN())))
	t.Cleanup(func() { _ = db.Close() })
	mustExec(t, db, "CREATE TABLE u (id int CONSTRAINT u_key PRIMARY KEY)")
	mustExec(t, db, "INSERT INTO u VALUES (1)")
	_, err := db.ExecContext(t.Context(), "INSERT INTO u VALUES (1)")
	got, ok := integrity.Of(err)
	if !ok || got.Kind != integrity.Unique || got.Constraint != "u_key" || got.Table != "u" || got.Code != "23505" {
		t.Errorf("%v: %+v", err, got)
	}
	if v := fault.Of(err, fault.Situation{InTx: true}); v.Class != fault.ClassIntegrity || v.Tx != fault.TxFailed {
		t.Errorf("%+v", v)
	}
	holder := must(db.BeginTx(t.Context(), nil))
	defer func() { _ = holder.Rollback() }()
	must(holder.ExecContext(t.Context(), "LOCK TABLE u"))
	conn := must(db.Conn(t.Context()))
	defer func() { _ = conn.Close() }()
	must(conn.ExecContext(t.Context(), "SET lock_timeout = 50"))
	_, err = conn.ExecContext(t.Context(), "SELECT * FROM u")
	if v := fault.Of(err, fault.Situation{}); v.Class != fault.ClassLockTimeout || v.Retry != fault.RetryNone || fault.Code(err) != "55P03" {
		t.Errorf("%v: %+v", err, v)
	}
}
