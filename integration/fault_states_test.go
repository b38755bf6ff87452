package integration_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// faultFlavors are all drivers with a database to run on.
func faultFlavors(t *testing.T, test func(t *testing.T, d faultDriver, dsn string)) {
	t.Helper()
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) { test(t, d, db.DSN()) })
	t.Run(faultMySQL.name, func(t *testing.T) {
		t.Parallel()
		test(t, faultMySQL, dbtest.MariaDB(t).Database(t).DSN())
	})
	t.Run(faultSQLite.name, func(t *testing.T) {
		t.Parallel()
		test(t, faultSQLite, faultSQLiteFile(t, ""))
	})
}

// TestFaultRows asks for rows that are not there, or do not fit.
func TestFaultRows(t *testing.T) {
	t.Parallel()
	faultFlavors(t, func(t *testing.T, d faultDriver, dsn string) {
		conn := d.open(t, dsn)
		faultExec(t, conn, faultAccounts...)
		done := fault.Verdict{Class: fault.ClassNotFound, Outcome: fault.OutcomeDone, Breaker: fault.BreakerSuccess, Answered: true}
		_, err := conn.ask(t.Context(), "SELECT 'a' FROM accounts WHERE id = 77")
		if v := fault.Of(err, fault.Situation{}); v != done {
			t.Errorf("%v: got %+v, want %+v", err, v, done)
		}
		done.Class = fault.ClassData
		_, err = conn.ask(t.Context(), "SELECT NULL FROM accounts")
		if v := fault.Of(err, fault.Situation{}); v != done {
			t.Errorf("%v: got %+v, want %+v", err, v, done)
		}
	})
}

// TestFaultStates calls at the wrong time.
func TestFaultStates(t *testing.T) {
	t.Parallel()
	want := fault.Verdict{Class: fault.ClassState, Outcome: fault.OutcomeNotSent}
	check := func(t *testing.T, err error) {
		t.Helper()
		if v := fault.Of(err, fault.Situation{}); v != want {
			t.Errorf("%v: got %+v, want %+v", err, v, want)
		}
	}
	faultFlavors(t, func(t *testing.T, d faultDriver, dsn string) {
		conn := d.open(t, dsn)
		tx := faultBegin(t, conn)
		faultRollback(t, tx)
		check(t, tx.exec(t.Context(), "SELECT 1"))
		check(t, tx.commit(t.Context()))
		if c, ok := conn.(faultSQL); ok {
			faultMust(t, c.Close())
			check(t, conn.exec(t.Context(), "SELECT 1"))
			faultMust(t, c.db.Close())
			check(t, c.db.PingContext(t.Context()))
		}
	})
	t.Run("pgx, busy and closed", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Postgres(t).Database(t)
		conn := faultPostgresDrivers[0].open(t, db.DSN()).(faultPgx)
		rows, err := conn.Query(t.Context(), "SELECT generate_series(1, 2)")
		if err != nil {
			t.Fatal(err)
		}
		check(t, conn.exec(t.Context(), "SELECT 1"))
		rows.Close()
		rows, err = conn.Query(t.Context(), "SELECT generate_series(1, 2)")
		if err != nil {
			t.Fatal(err)
		}
		_, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		if v := fault.Of(err, fault.Situation{}); v.Class != fault.ClassData || v.Outcome != fault.OutcomeDone {
			t.Errorf("%v: %+v", err, v)
		}
		pool, err := pgxpool.New(t.Context(), db.DSN())
		if err != nil {
			t.Fatal(err)
		}
		pool.Close()
		check(t, pool.Ping(t.Context()))
	})
}

// TestFaultArguments hands over what database/sql can't send.
func TestFaultArguments(t *testing.T) {
	t.Parallel()
	want := fault.Verdict{Class: fault.ClassData, Outcome: fault.OutcomeNotSent}
	faultFlavors(t, func(t *testing.T, d faultDriver, dsn string) {
		conn, ok := d.open(t, dsn).(faultSQL)
		if !ok || d.name == "pgx stdlib" { // pgx has its own conversion, which says no more than that it failed
			return
		}
		err := conn.exec(t.Context(), "SELECT 1", make(chan int))
		if v := fault.Of(err, fault.Situation{}); v != want {
			t.Errorf("%v: got %+v, want %+v", err, v, want)
		}
	})
}
