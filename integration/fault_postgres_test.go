package integration_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// onFaultPostgres runs a test with each driver on a fresh database of its own.
func onFaultPostgres(t *testing.T, test func(t *testing.T, d faultDriver, db dbtest.Database)) {
	t.Helper()
	for _, d := range faultPostgresDrivers {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			test(t, d, dbtest.Postgres(t).Database(t))
		})
	}
}

var faultPostgresSchema = []string{
	"CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL CONSTRAINT users_email UNIQUE, age int CONSTRAINT adult CHECK (age >= 18))",
	"CREATE TABLE orders (id int PRIMARY KEY, user_id int CONSTRAINT orders_user REFERENCES users (id))",
	"CREATE TABLE rooms (during int4range, CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&))",
	"INSERT INTO users VALUES (1, 'secret', 20)",
	"INSERT INTO orders VALUES (1, 1)",
	"INSERT INTO rooms VALUES ('[1,5)')",
}

// TestFaultPostgresStatements provokes what one statement alone can provoke,
// outside a transaction and inside one.
func TestFaultPostgresStatements(t *testing.T) {
	t.Parallel()
	violation := faultWant{class: fault.ClassIntegrity, breaker: fault.BreakerSuccess, outcome: fault.OutcomeAnswered, answered: true}
	cases := []faultCase{
		{"unique", "INSERT INTO users VALUES (2, 'secret', 20)", "23505", violation, &integrity.Error{Kind: integrity.Unique, Constraint: "users_email", Table: "users"}},
		{"primary key", "INSERT INTO users VALUES (1, 'other', 20)", "23505", violation, &integrity.Error{Kind: integrity.Unique, Constraint: "users_pkey", Table: "users"}},
		{"foreign key, child", "INSERT INTO orders VALUES (2, 77)", "23503", violation, &integrity.Error{Kind: integrity.ForeignKey, Constraint: "orders_user", Table: "orders"}},
		{"foreign key, parent", "DELETE FROM users", "23503", violation, &integrity.Error{Kind: integrity.ForeignKey, Constraint: "orders_user", Table: "orders"}},
		{"not null", "INSERT INTO users VALUES (2, NULL, 20)", "23502", violation, &integrity.Error{Kind: integrity.NotNull, Table: "users", Column: "email"}},
		{"check", "INSERT INTO users VALUES (2, 'child', 3)", "23514", violation, &integrity.Error{Kind: integrity.Check, Constraint: "adult", Table: "users"}},
		{"exclusion", "INSERT INTO rooms VALUES ('[2,3)')", "23P01", violation, &integrity.Error{Kind: integrity.Exclusion, Constraint: "no_overlap", Table: "rooms"}},
		{"syntax", "SELEC 1", "42601", faultAnswer(fault.ClassSyntax), nil},
		{"table exists", "CREATE TABLE users (id int)", "42P07", faultAnswer(fault.ClassSyntax), nil},
		{"no such table", "SELECT * FROM nowhere", "42P01", faultAnswer(fault.ClassNotFound), nil},
		{"no such column", "SELECT nothing FROM users", "42703", faultAnswer(fault.ClassNotFound), nil},
		{"no such function", "SELECT nothing()", "42883", faultAnswer(fault.ClassNotFound), nil},
		{"no such schema", "CREATE TABLE nowhere.t (id int)", "3F000", faultAnswer(fault.ClassNotFound), nil},
		{"permission", "SELECT * FROM pg_authid", "42501", faultAnswer(fault.ClassPermission), nil},
		{"out of range", "SELECT 2147483647 + 1", "22003", faultAnswer(fault.ClassData), nil},
		{"division by zero", "SELECT 1 / 0", "22012", faultAnswer(fault.ClassData), nil},
		{"too many rows of a subquery", "SELECT (SELECT generate_series(1, 2))", "21000", faultAnswer(fault.ClassData), nil},
		{"not supported", "SELECT DISTINCT id FROM users FOR UPDATE", "0A000", faultAnswer(fault.ClassUnsupported), nil},
		{"raised", "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", "P0001", faultAnswer(fault.ClassUnknown), nil},
		{"raised as io error", "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '58030'; END $$", "58030", faultWant{class: fault.ClassUnknown, breaker: fault.BreakerFailure, outcome: fault.OutcomeAnswered}, nil},
		{"statement unknown to the server", "EXECUTE nothing", "26000", faultWant{class: fault.ClassState, breaker: fault.BreakerSuccess, alone: fault.RetryStatement, inTx: fault.RetryTransaction, outcome: fault.OutcomeRolledBack, answered: true}, nil},
		{"statement timeout", "SELECT set_config('statement_timeout', '30', true); SELECT pg_sleep(60)", "57014", faultWant{class: fault.ClassStatementTimeout, breaker: fault.BreakerExclude, outcome: fault.OutcomeRolledBack, answered: true}, nil},
		{"write in a read-only transaction", "SELECT set_config('transaction_read_only', 'on', true); CREATE TABLE t (id int)", "25006", faultWant{class: fault.ClassReadOnly, breaker: fault.BreakerExclude, alone: fault.RetryReconnect, inTx: fault.RetryTransaction, outcome: fault.OutcomeRolledBack, discard: true, answered: true}, nil},
	}
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		conn := d.open(t, db.DSN())
		faultExec(t, conn, faultPostgresSchema...)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { // one connection: not parallel
				c.run(t, conn)
			})
		}
	})
}

// TestFaultPostgresFailedTransaction goes on after an error, up to COMMIT.
func TestFaultPostgresFailedTransaction(t *testing.T) {
	t.Parallel()
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		conn := d.open(t, db.DSN())
		tx := faultBegin(t, conn)
		_ = tx.exec(t.Context(), "SELEC 1")
		want := faultWant{class: fault.ClassState, code: "25P02", breaker: fault.BreakerExclude, outcome: fault.OutcomeAnswered, answered: true}
		want.checkInTx(t, tx.exec(t.Context(), "SELECT 1"))
		want = faultWant{class: fault.ClassState, breaker: fault.BreakerSuccess, outcome: fault.OutcomeRolledBack, answered: true}
		want.checkCommit(t, tx.commit(t.Context()))
	})
}

// TestFaultPostgresCachedPlan changes a table under a prepared statement.
func TestFaultPostgresCachedPlan(t *testing.T) {
	t.Parallel()
	const query = "SELECT * FROM t WHERE id = $1"
	want := faultWant{
		class: fault.ClassState, code: "0A000", breaker: fault.BreakerSuccess, answered: true,
		alone: fault.RetryStatement, inTx: fault.RetryTransaction, outcome: fault.OutcomeRolledBack,
	}
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		conn := d.open(t, db.DSN())
		other := d.open(t, db.DSN())
		faultExec(t, conn, "CREATE TABLE t (id int)", "PREPARE p AS SELECT * FROM t", "EXECUTE p")
		faultExec(t, other, "ALTER TABLE t ADD COLUMN a int")
		want.check(t, conn.exec(t.Context(), "EXECUTE p"))
		tx := faultBegin(t, conn)
		want.checkInTx(t, tx.exec(t.Context(), "EXECUTE p"))
		faultRollback(t, tx)

		// The driver's own cache, if it has one, recovers by the retry.
		if err := conn.exec(t.Context(), query, 1); err != nil {
			t.Fatal(err)
		}
		faultExec(t, other, "ALTER TABLE t ADD COLUMN b int")
		if err := conn.exec(t.Context(), query, 1); err != nil {
			want.check(t, err)
			if err := conn.exec(t.Context(), query, 1); err != nil {
				t.Errorf("the repetition failed as well: %v", err)
			}
		}
	})
}

// TestFaultPostgresPreparedTwice takes a prepared statement's name again.
func TestFaultPostgresPreparedTwice(t *testing.T) {
	t.Parallel()
	want := faultWant{
		class: fault.ClassState, code: "42P05", breaker: fault.BreakerSuccess, answered: true,
		alone: fault.RetryStatement, inTx: fault.RetryTransaction, outcome: fault.OutcomeRolledBack,
	}
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		conn := d.open(t, db.DSN())
		faultExec(t, conn, "PREPARE p AS SELECT 1")
		want.check(t, conn.exec(t.Context(), "PREPARE p AS SELECT 1"))
	})
}

// TestFaultPostgresObjectInUse drops a database with a client in it.
func TestFaultPostgresObjectInUse(t *testing.T) {
	t.Parallel()
	want := faultWant{class: fault.ClassState, code: "55006", breaker: fault.BreakerExclude, outcome: fault.OutcomeAnswered, answered: true}
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		conn := d.open(t, db.DSN())
		want.check(t, conn.exec(t.Context(), "DROP DATABASE "+db.Name))
	})
}

// TestFaultPostgresDeferredConstraint lets COMMIT find the violation.
func TestFaultPostgresDeferredConstraint(t *testing.T) {
	t.Parallel()
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		conn := d.open(t, db.DSN())
		faultExec(t, conn, faultPostgresSchema...)
		faultExec(t, conn, "ALTER TABLE orders ALTER CONSTRAINT orders_user DEFERRABLE INITIALLY DEFERRED")
		tx := faultBegin(t, conn)
		faultExec(t, tx, "INSERT INTO orders VALUES (5, 55)")
		err := tx.commit(t.Context())
		want := faultWant{class: fault.ClassIntegrity, code: "23503", breaker: fault.BreakerSuccess, outcome: fault.OutcomeRolledBack, answered: true}
		want.checkCommit(t, err)
		if n, err := conn.ask(context.Background(), "SELECT count(*)::text FROM orders WHERE id = 5"); n != "0" || err != nil {
			t.Errorf("the verdict is %v, and there are %s rows (%v)", want.outcome, n, err)
		}
	})
}
