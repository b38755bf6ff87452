package integration_test

import (
	"database/sql"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// faultAccounts is a table for transactions to quarrel over, on any server.
var faultAccounts = []string{
	"CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL)",
	"INSERT INTO accounts VALUES (1, 100), (2, 100)",
}

// faultPair opens two connections to a database with accounts.
func faultPair(t *testing.T, d faultDriver, dsn string) (a, b faultConn) {
	t.Helper()
	a, b = d.open(t, dsn), d.open(t, dsn)
	faultExec(t, a, faultAccounts...)
	return a, b
}

// balance returns an account's balance as c sees it outside a transaction.
func faultBalance(t *testing.T, c faultConn, id string) string {
	t.Helper()
	balance, err := c.ask(t.Context(), "SELECT CAST(balance AS char(9)) FROM accounts WHERE id = "+id)
	if err != nil {
		t.Fatal(err)
	}
	return balance
}

var faultContended = faultWant{
	breaker: fault.BreakerExclude, alone: fault.RetryStatement, inTx: fault.RetryTransaction,
	outcome: fault.OutcomeRolledBack, answered: true,
}

// faultWaited is a limit on the wait for a lock that nobody need have asked for.
var faultWaited = faultWant{
	breaker: fault.BreakerExclude, alone: fault.RetryNone, inTx: fault.RetryTransaction,
	outcome: fault.OutcomeRolledBack, answered: true,
}

// as returns w for another class and code.
func (w faultWant) as(class fault.Class, code string) faultWant {
	w.class, w.code = class, code
	return w
}

// TestFaultPostgresConcurrentUpdate updates a row that has changed since the
// snapshot was taken.
func TestFaultPostgresConcurrentUpdate(t *testing.T) {
	t.Parallel()
	want := faultContended.as(fault.ClassSerialization, "40001")
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		a, b := faultPair(t, d, db.DSN())
		tx := faultBeginAt(t, a, sql.LevelRepeatableRead)
		faultExec(t, tx, "SELECT * FROM accounts", "UPDATE accounts SET balance = 7 WHERE id = 2")
		faultExec(t, b, "UPDATE accounts SET balance = 50 WHERE id = 1")
		err := tx.exec(t.Context(), "UPDATE accounts SET balance = 60 WHERE id = 1")
		want.checkInTx(t, err)
		if v := fault.Of(err, fault.Situation{InTx: true}); v.Outcome != fault.OutcomeRolledBack || !v.Contention {
			t.Errorf("got %+v", v)
		}
		_ = tx.commit(t.Context())
		if got := faultBalance(t, a, "2"); got[:3] != "100" {
			t.Errorf("the verdict says rolled back, and the first update stayed: %s", got)
		}
	})
}

// TestFaultPostgresWriteSkew lets COMMIT find the conflict.
func TestFaultPostgresWriteSkew(t *testing.T) {
	t.Parallel()
	want := faultContended.as(fault.ClassSerialization, "40001")
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		a, b := faultPair(t, d, db.DSN())
		first := faultBeginAt(t, a, sql.LevelSerializable)
		second := faultBeginAt(t, b, sql.LevelSerializable)
		faultExec(t, first, "SELECT sum(balance) FROM accounts")
		faultExec(t, second, "SELECT sum(balance) FROM accounts")
		faultExec(t, first, "UPDATE accounts SET balance = 0 WHERE id = 1")
		faultExec(t, second, "UPDATE accounts SET balance = 0 WHERE id = 2")
		if err := first.commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		want.checkCommit(t, second.commit(t.Context()))
		if got := faultBalance(t, a, "2"); got[:3] != "100" {
			t.Errorf("the verdict says rolled back, and the update stayed: %s", got)
		}
	})
}

// faultDeadlock makes two transactions wait for each other and returns the
// victim's error. Both are over when it returns.
func faultDeadlock(t *testing.T, a, b faultConn) error {
	t.Helper()
	first, second := faultBegin(t, a), faultBegin(t, b)
	faultExec(t, first, "UPDATE accounts SET balance = 1 WHERE id = 1")
	faultExec(t, second, "UPDATE accounts SET balance = 2 WHERE id = 2")
	other := make(chan error, 1)
	go func() {
		other <- faultEnd(t, second, second.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
	}()
	err := faultEnd(t, first, first.exec(t.Context(), "UPDATE accounts SET balance = 1 WHERE id = 2"))
	if e := <-other; err == nil {
		err = e
	}
	return err
}

// faultEnd commits what succeeded, rolls back the rest, and returns err.
func faultEnd(t *testing.T, tx faultTx, err error) error {
	if err != nil {
		_ = tx.rollback(t.Context())
		return err
	}
	return tx.commit(t.Context())
}

func TestFaultPostgresDeadlock(t *testing.T) {
	t.Parallel()
	want := faultContended.as(fault.ClassDeadlock, "40P01")
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		a, b := faultPair(t, d, db.DSN())
		err := faultDeadlock(t, a, b)
		want.checkInTx(t, err)
		want.check(t, err)
	})
}

func TestFaultPostgresLocks(t *testing.T) {
	t.Parallel()
	want := faultContended.as(fault.ClassLockTimeout, "55P03")
	want.alone, want.inTx = fault.RetryNone, fault.RetryNone // what was asked for
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		a, b := faultPair(t, d, db.DSN())
		holder := faultBegin(t, a)
		faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
		want.check(t, b.exec(t.Context(), "SELECT * FROM accounts FOR UPDATE NOWAIT"))
		faultExec(t, b, "SET lock_timeout = '20ms'")
		want.check(t, b.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
		tx := faultBegin(t, b)
		want.checkInTx(t, tx.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
		faultRollback(t, tx)
		faultRollback(t, holder)
	})
}
