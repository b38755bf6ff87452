package integration_test

import (
	"context"
	"database/sql"
	"os"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// faultSQLiteFile returns a new file's URI with parameters.
func faultSQLiteFile(t *testing.T, params string) string {
	t.Helper()
	return "file:" + dbtest.SQLite(t) + "?" + params
}

var faultSQLiteSchema = []string{
	"CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, realm TEXT, age INTEGER, UNIQUE (realm, email), CONSTRAINT adult CHECK (age >= 18))",
	"CREATE TABLE names (name TEXT)",
	"CREATE UNIQUE INDEX names_lower ON names (lower(name))",
	"INSERT INTO names VALUES ('secret')",
	"CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id) DEFERRABLE INITIALLY IMMEDIATE)",
	"CREATE TABLE strict (n INTEGER) STRICT",
	"CREATE TRIGGER no_zero BEFORE INSERT ON orders WHEN NEW.id = 0 BEGIN SELECT RAISE(ABORT, 'zero'); END",
	"INSERT INTO users VALUES (1, 'secret', 'r', 20)",
}

// TestFaultSQLiteStatements provokes what one statement alone can provoke,
// outside a transaction and inside one.
func TestFaultSQLiteStatements(t *testing.T) {
	t.Parallel()
	violation := faultAnswer(fault.ClassIntegrity)
	cases := []faultCase{
		{"unique", "INSERT INTO users VALUES (2, 'secret', 'r', 20)", "2067", violation, &integrity.Error{Kind: integrity.Unique, Table: "users", Column: "realm, email"}},
		{"unique expression", "INSERT INTO names VALUES ('SECRET')", "2067", violation, &integrity.Error{Kind: integrity.Unique, Constraint: "names_lower"}},
		{"primary key", "INSERT INTO users VALUES (1, 'other', 'r', 20)", "1555", violation, &integrity.Error{Kind: integrity.Unique, Table: "users", Column: "id"}},
		{"foreign key", "INSERT INTO orders VALUES (2, 77)", "787", violation, &integrity.Error{Kind: integrity.ForeignKey}},
		{"not null", "INSERT INTO users VALUES (2, NULL, 'r', 20)", "1299", violation, &integrity.Error{Kind: integrity.NotNull, Table: "users", Column: "email"}},
		{"check", "INSERT INTO users VALUES (2, 'child', 'r', 3)", "275", violation, &integrity.Error{Kind: integrity.Check, Constraint: "adult"}},
		{"type of a strict table", "INSERT INTO strict VALUES ('secret')", "3091", violation, &integrity.Error{Kind: integrity.Check}},
		{"trigger", "INSERT INTO orders VALUES (0, NULL)", "1811", violation, &integrity.Error{}},
		{"type of a row id", "INSERT INTO users VALUES ('secret', 'x', 'r', 20)", "20", faultAnswer(fault.ClassData), nil},
		{"too big", "SELECT zeroblob(2000000000)", "18", faultAnswer(fault.ClassData), nil},
		{"syntax", "SELEC 1", "1", faultAnswer(fault.ClassSyntax), nil},
		{"no such table", "SELECT * FROM nowhere", "1", faultAnswer(fault.ClassNotFound), nil},
		{"no such column", "SELECT nowhere FROM users", "1", faultAnswer(fault.ClassNotFound), nil},
		{"no such function", "SELECT nowhere()", "1", faultAnswer(fault.ClassNotFound), nil},
	}
	conn := faultSQLite.open(t, faultSQLiteFile(t, "_pragma=foreign_keys(1)"))
	faultExec(t, conn, faultSQLiteSchema...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { // one connection: not parallel
			c.run(t, conn)
		})
	}
}

// TestFaultSQLiteDeferredConstraint lets COMMIT find the violation. SQLite
// leaves the transaction open; the driver rolls it back.
func TestFaultSQLiteDeferredConstraint(t *testing.T) {
	t.Parallel()
	conn := faultSQLite.open(t, faultSQLiteFile(t, "_pragma=foreign_keys(1)"))
	faultExec(t, conn, faultSQLiteSchema...)
	tx := faultBegin(t, conn)
	faultExec(t, tx, "PRAGMA defer_foreign_keys = ON", "INSERT INTO orders VALUES (5, 55)")
	want := faultWant{class: fault.ClassIntegrity, code: "787", breaker: fault.BreakerSuccess, outcome: fault.OutcomeRolledBack, answered: true}
	want.checkCommit(t, tx.commit(t.Context()))
	if n, err := conn.ask(t.Context(), "SELECT count(*) FROM orders"); n != "0" || err != nil {
		t.Errorf("the verdict says rolled back, and there are %s rows (%v)", n, err)
	}
}

func TestFaultSQLiteBusy(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultSQLite, faultSQLiteFile(t, ""))
	want := faultWaited.as(fault.ClassLockTimeout, "5")
	holder := faultBegin(t, a)
	faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
	want.check(t, b.exec(t.Context(), "UPDATE accounts SET balance = 2"))
	tx := faultBegin(t, b)
	err := tx.exec(t.Context(), "UPDATE accounts SET balance = 2")
	want.checkInTx(t, err)
	if v := fault.Of(err, fault.Situation{InTx: true}); v.Outcome != fault.OutcomeAnswered {
		t.Errorf("outcome %v in a transaction", v.Outcome)
	}
	faultRollback(t, tx)
	begin := b.exec(t.Context(), "BEGIN IMMEDIATE")
	if v := fault.Of(begin, fault.Situation{Phase: fault.PhaseBegin}); v.Retry != fault.RetryNone || v.Class != fault.ClassLockTimeout {
		t.Errorf("BEGIN: %v: %+v", begin, v)
	}
	faultRollback(t, holder)
}

// TestFaultSQLiteBusyCommit lets a reader stand in the way of a COMMIT. SQLite
// leaves the transaction open; the driver rolls it back.
func TestFaultSQLiteBusyCommit(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultSQLite, faultSQLiteFile(t, "_pragma=journal_mode(delete)"))
	tx := faultBegin(t, a)
	faultExec(t, tx, "UPDATE accounts SET balance = 1")
	rows, err := b.(faultSQL).QueryContext(t.Context(), "SELECT id FROM accounts")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	want := faultWaited.as(fault.ClassLockTimeout, "5")
	want.checkCommit(t, tx.commit(t.Context()))
	faultMust(t, rows.Close())
	if got := faultBalance(t, b, "1"); got != "100" {
		t.Errorf("the verdict says rolled back, and the update stayed: %s", got)
	}
	faultExec(t, a, "BEGIN IMMEDIATE", "ROLLBACK") // no transaction is left
}

// TestFaultSQLiteSnapshot writes from a snapshot that is no longer the latest.
// Waiting does not help: busy_timeout is not consulted.
func TestFaultSQLiteSnapshot(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultSQLite, faultSQLiteFile(t, "_pragma=journal_mode(wal)&_pragma=busy_timeout(60000)"))
	tx := faultBegin(t, a)
	faultExec(t, tx, "SELECT * FROM accounts")
	faultExec(t, b, "UPDATE accounts SET balance = 1 WHERE id = 1")
	want := faultContended.as(fault.ClassSerialization, "517")
	for range 2 {
		want.checkInTx(t, tx.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
	}
	faultRollback(t, tx)
}

// TestFaultSQLiteLocked lets two transactions wait for each other in a shared
// cache (the driver waits for a single lock without end), and a connection
// stand in its own way.
func TestFaultSQLiteLocked(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultSQLite, faultSQLiteFile(t, "cache=shared"))
	faultExec(t, a, "CREATE TABLE other (id INTEGER)")
	reader, writer := faultBegin(t, b), faultBegin(t, a)
	faultExec(t, reader, "SELECT * FROM other")
	faultExec(t, writer, "UPDATE accounts SET balance = 1")
	waiting := make(chan error, 1)
	go func() { waiting <- faultEnd(t, reader, reader.exec(t.Context(), "SELECT * FROM accounts")) }()
	err := faultEnd(t, writer, writer.exec(t.Context(), "INSERT INTO other VALUES (1)"))
	if e := <-waiting; err == nil {
		err = e
	}
	faultContended.as(fault.ClassLockTimeout, "6").checkInTx(t, err)

	// A table is dropped under a reader of the same connection.
	own := faultSQLite.open(t, faultSQLiteFile(t, ""))
	faultExec(t, own, faultAccounts...)
	rows, err := own.(faultSQL).QueryContext(t.Context(), "SELECT id FROM accounts")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	faultContended.as(fault.ClassLockTimeout, "6").check(t, own.exec(t.Context(), "DROP TABLE accounts"))
	faultMust(t, rows.Close())
}

func TestFaultSQLiteReadOnly(t *testing.T) {
	t.Parallel()
	file := dbtest.SQLite(t)
	writer := faultSQLite.open(t, "file:"+file)
	faultExec(t, writer, faultAccounts...)
	want := faultWant{class: fault.ClassReadOnly, code: "8", breaker: fault.BreakerFailure, outcome: fault.OutcomeAnswered}
	for _, params := range []string{"mode=ro", "_pragma=query_only(1)"} {
		conn := faultSQLite.open(t, "file:"+file+"?"+params)
		want.check(t, conn.exec(t.Context(), "UPDATE accounts SET balance = 1"))
		tx := faultBegin(t, conn)
		want.checkInTx(t, tx.exec(t.Context(), "UPDATE accounts SET balance = 1"))
		faultRollback(t, tx)
	}
}

// TestFaultSQLiteFile opens what is no database, what does not exist, and
// fills what does.
func TestFaultSQLiteFile(t *testing.T) {
	t.Parallel()
	failed := faultWant{breaker: fault.BreakerFailure, outcome: fault.OutcomeAnswered}
	garbage := dbtest.SQLite(t)
	faultMust(t, os.WriteFile(garbage, []byte("no database, but long enough to be read as the header of one: it has a hundred bytes and then some more"), 0o600))
	conn := faultSQLite.open(t, "file:"+garbage)
	failed.as(fault.ClassUnknown, "26").check(t, conn.exec(t.Context(), "SELECT * FROM sqlite_schema"))

	_, err := faultSQLite.dial(t.Context(), "file:"+t.TempDir()+"/nowhere/file.db?_pragma=journal_mode(wal)")
	if v := fault.Of(err, fault.Situation{Phase: fault.PhaseConnect}); v.Class != fault.ClassConnect || v.Retry != fault.RetryNone || v.Breaker != fault.BreakerFailure || fault.Code(err) != "14" {
		t.Errorf("%v: %+v", err, v)
	}

	full := faultSQLite.open(t, faultSQLiteFile(t, "_pragma=page_size(512)"))
	faultExec(t, full, "CREATE TABLE t (b BLOB)", "PRAGMA max_page_count = 10")
	failed.as(fault.ClassOverloaded, "13").check(t, full.exec(t.Context(), "INSERT INTO t VALUES (zeroblob(100000))"))
}

// TestFaultSQLiteInterrupt ends the context of a running statement.
func TestFaultSQLiteInterrupt(t *testing.T) {
	t.Parallel()
	const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
	conn := faultSQLite.open(t, faultSQLiteFile(t, ""))
	for _, deadline := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if !deadline {
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
		}
		err := conn.exec(ctx, endless)
		want := fault.Verdict{Class: fault.ClassCanceled, Outcome: fault.OutcomeUnknown}
		if deadline {
			want.Class = fault.ClassTimeout
		}
		got := fault.Of(err, fault.Situation{Cause: context.Cause(ctx)})
		if got.Answered, got.Outcome = false, fault.OutcomeUnknown; got != want {
			t.Errorf("%v:\ngot  %+v\nwant %+v", err, got, want)
		}
		cancel()
	}
}

// TestFaultSQLiteTransactionOfAnEndedContext commits what database/sql has
// rolled back already.
func TestFaultSQLiteTransactionOfAnEndedContext(t *testing.T) {
	t.Parallel()
	conn := faultSQLite.open(t, faultSQLiteFile(t, ""))
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := conn.begin(ctx, sql.LevelDefault)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = tx.commit(t.Context())
	v := fault.Of(err, fault.Situation{Phase: fault.PhaseCommit, InTx: true, Progress: fault.ProgressUnsent, Cause: context.Cause(ctx)})
	want := fault.Verdict{Class: fault.ClassCanceled, Outcome: fault.OutcomeNotSent, Tx: v.Tx}
	if v != want || v.Tx != fault.TxUnknown && v.Tx != fault.TxOpen {
		t.Errorf("%v:\ngot  %+v\nwant %+v", err, v, want)
	}
}
