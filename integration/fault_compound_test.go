package integration_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestFaultUndoneIsSaidOfOneStatement shows the limit of a verdict that knows
// no text: a call that is several statements, outside a transaction, may be
// half done when its last error says that the statement was undone.
func TestFaultUndoneIsSaidOfOneStatement(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, conn faultConn, call string) {
		t.Helper()
		err := conn.exec(t.Context(), call)
		if v := fault.Of(err, fault.Situation{}); v.Class != fault.ClassLockTimeout || v.Outcome != fault.OutcomeRolledBack {
			t.Errorf("%v: got %+v", err, v)
		}
		if got := faultBalance(t, conn, "2"); got[:2] != "55" {
			t.Errorf("the first part is undone too, docs/faults.md can say so: balance is %s", got)
		}
	}
	t.Run("a procedure of PostgreSQL that commits", func(t *testing.T) {
		t.Parallel()
		a, b := faultPair(t, faultPostgresDrivers[0], dbtest.Postgres(t).Database(t).DSN())
		faultExec(t, b, `CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN
			UPDATE accounts SET balance = 55 WHERE id = 2; COMMIT;
			PERFORM FROM accounts WHERE id = 1 FOR UPDATE NOWAIT;
		END $$`)
		holder := faultBegin(t, a)
		faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
		check(t, b, "CALL p()")
		faultRollback(t, holder)
	})
	t.Run("a procedure of MariaDB", func(t *testing.T) {
		t.Parallel()
		server := dbtest.MariaDB(t)
		a, b := faultPair(t, faultMySQL, server.Database(t).DSN())
		faultExec(t, b, `CREATE PROCEDURE p() BEGIN
			UPDATE accounts SET balance = 55 WHERE id = 2;
			SELECT * FROM accounts WHERE id = 1 FOR UPDATE;
		END`, "SET innodb_lock_wait_timeout = 1")
		holder := faultBegin(t, a)
		faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
		check(t, b, "CALL p()")
		faultRollback(t, holder)
	})
	t.Run("several statements of SQLite", func(t *testing.T) {
		t.Parallel()
		file := dbtest.SQLite(t)
		a := faultSQLite.open(t, "file:"+file)
		faultExec(t, a, faultAccounts...)
		b := faultSQLite.open(t, "file:"+file)
		faultExec(t, b, "ATTACH '"+dbtest.SQLite(t)+"' AS other", "CREATE TABLE other.accounts AS SELECT * FROM main.accounts")
		holder := faultBegin(t, a)
		faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
		err := b.exec(t.Context(), "UPDATE other.accounts SET balance = 55 WHERE id = 2; UPDATE main.accounts SET balance = 2 WHERE id = 1")
		if v := fault.Of(err, fault.Situation{}); v.Class != fault.ClassLockTimeout || v.Outcome != fault.OutcomeRolledBack {
			t.Errorf("%v: got %+v", err, v)
		}
		if got, err := b.ask(t.Context(), "SELECT balance FROM other.accounts WHERE id = 2"); got != "55" || err != nil {
			t.Errorf("the first part is undone too, docs/faults.md can say so: %s, %v", got, err)
		}
		faultRollback(t, holder)
	})
}
