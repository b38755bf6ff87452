package integration_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

var faultMariaDBSchema = []string{
	"CREATE TABLE users (id int PRIMARY KEY, email varchar(20) NOT NULL, age int, UNIQUE KEY users_email (email), CONSTRAINT adult CHECK (age >= 18))",
	"CREATE TABLE orders (id int PRIMARY KEY, user_id int, pieces int CHECK (pieces > 0), CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id))",
	"INSERT INTO users VALUES (1, 'secret', 20)",
	"INSERT INTO orders VALUES (1, 1, 1)",
}

// TestFaultMariaDBStatements provokes what one statement alone can provoke,
// outside a transaction and inside one.
func TestFaultMariaDBStatements(t *testing.T) {
	t.Parallel()
	violation := faultAnswer(fault.ClassIntegrity)
	cases := []faultCase{
		{"unique", "INSERT INTO users VALUES (2, 'secret', 20)", "1062", violation, &integrity.Error{Kind: integrity.Unique, Constraint: "users_email"}},
		{"primary key", "INSERT INTO users VALUES (1, 'other', 20)", "1062", violation, &integrity.Error{Kind: integrity.Unique, Constraint: "PRIMARY"}},
		{"foreign key, child", "INSERT INTO orders VALUES (2, 77, 1)", "1452", violation, &integrity.Error{Kind: integrity.ForeignKey, Constraint: "orders_user", Table: "orders", Column: "user_id"}},
		{"foreign key, parent", "DELETE FROM users", "1451", violation, &integrity.Error{Kind: integrity.ForeignKey, Constraint: "orders_user", Table: "orders", Column: "user_id"}},
		{"not null", "INSERT INTO users VALUES (2, NULL, 20)", "1048", violation, &integrity.Error{Kind: integrity.NotNull, Column: "email"}},
		{"no default", "INSERT INTO users (id) VALUES (2)", "1364", violation, &integrity.Error{Kind: integrity.NotNull, Column: "email"}},
		{"check", "INSERT INTO users VALUES (2, 'child', 3)", "4025", violation, &integrity.Error{Kind: integrity.Check, Constraint: "adult", Table: "users"}},
		{"check of a column", "INSERT INTO orders VALUES (2, 1, 0)", "4025", violation, &integrity.Error{Kind: integrity.Check, Constraint: "orders.pieces", Table: "orders"}},
		{"syntax", "SELEC 1", "1064", faultAnswer(fault.ClassSyntax), nil},
		{"no such table", "SELECT * FROM nowhere", "1146", faultAnswer(fault.ClassNotFound), nil},
		{"no such column", "SELECT nothing FROM users", "1054", faultAnswer(fault.ClassNotFound), nil},
		{"no such function", "SELECT nothing()", "1305", faultAnswer(fault.ClassNotFound), nil},
		{"no such savepoint", "ROLLBACK TO SAVEPOINT nothing", "1305", faultAnswer(fault.ClassNotFound), nil},
		{"permission", "SELECT * FROM mysql.global_priv", "1142", faultAnswer(fault.ClassPermission), nil},
		{"privilege", "SET GLOBAL read_only = 1", "1227", faultAnswer(fault.ClassPermission), nil},
		{"privilege that looks like a refused login", "LOAD DATA INFILE 'nothing' INTO TABLE users", "1045", faultAnswer(fault.ClassAuth), nil},
		{"out of range", "INSERT INTO users VALUES (99999999999, 'x', 20)", "1264", faultAnswer(fault.ClassData), nil},
		{"too long", "INSERT INTO users VALUES (3, '123456789012345678901', 20)", "1406", faultAnswer(fault.ClassData), nil},
		{"not a number", "INSERT INTO users VALUES ('abc', 'x', 20)", "1366", faultAnswer(fault.ClassData), nil},
		{"too many rows of a subquery", "SELECT (SELECT 1 UNION SELECT 2)", "1242", faultAnswer(fault.ClassData), nil},
		{"signalled", "SIGNAL SQLSTATE '45000'", "1644", faultAnswer(fault.ClassUnknown), nil},
		{"statement timeout", "SET STATEMENT max_statement_time = 0.03 FOR SELECT SLEEP(60)", "1969", faultWant{class: fault.ClassStatementTimeout, breaker: fault.BreakerExclude, outcome: fault.OutcomeAnswered, answered: true}, nil},
	}
	conn := faultMySQL.open(t, dbtest.MariaDB(t).Database(t).DSN())
	faultExec(t, conn, faultMariaDBSchema...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { // one connection: not parallel
			c.run(t, conn)
		})
	}
}

func TestFaultMariaDBReadOnlyTransaction(t *testing.T) {
	t.Parallel()
	conn, _ := faultPair(t, faultMySQL, dbtest.MariaDB(t).Database(t).DSN())
	faultExec(t, conn, "START TRANSACTION READ ONLY")
	want := faultReadOnly.as(fault.ClassReadOnly, "1792")
	want.checkInTx(t, conn.exec(t.Context(), "UPDATE accounts SET balance = 1"))
	faultExec(t, conn, "ROLLBACK")
}

var faultReadOnly = faultWant{
	breaker: fault.BreakerExclude, alone: fault.RetryReconnect, inTx: fault.RetryTransaction,
	outcome: fault.OutcomeRolledBack, discard: true, answered: true,
}

func TestFaultMariaDBDeadlock(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultMySQL, dbtest.MariaDB(t).Database(t).DSN())
	err := faultDeadlock(t, a, b)
	want := faultContended.as(fault.ClassDeadlock, "1213")
	want.checkInTx(t, err)
	want.check(t, err)
}

// TestFaultMariaDBLockTimeout shows too that a timeout undoes the statement
// and leaves the transaction open.
func TestFaultMariaDBLockTimeout(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultMySQL, dbtest.MariaDB(t).Database(t).DSN())
	want := faultWaited.as(fault.ClassLockTimeout, "1205")
	holder := faultBegin(t, a)
	faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
	want.check(t, b.exec(t.Context(), "SELECT * FROM accounts WHERE id = 1 FOR UPDATE NOWAIT"))
	faultExec(t, b, "SET innodb_lock_wait_timeout = 1")
	want.check(t, b.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))

	tx := faultBegin(t, b)
	faultExec(t, tx, "UPDATE accounts SET balance = 77 WHERE id = 2")
	err := tx.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1")
	want.checkInTx(t, err)
	if v := fault.Of(err, fault.Situation{InTx: true}); v.Outcome != fault.OutcomeAnswered {
		t.Errorf("outcome %v in a transaction", v.Outcome)
	}
	if err := tx.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := faultBalance(t, b, "2"); got != "77" {
		t.Errorf("the server undid the transaction, balance is %s", got)
	}
	faultRollback(t, holder)
}

// TestFaultMariaDBSnapshot shows too that the conflict undoes the whole
// transaction, although the server lets it go on and commit.
func TestFaultMariaDBSnapshot(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultMySQL, dbtest.MariaDB(t).Database(t).DSN())
	faultExec(t, b, "SET innodb_snapshot_isolation = ON")
	tx := faultBeginAt(t, b, sql.LevelRepeatableRead)
	faultExec(t, tx, "SELECT * FROM accounts", "UPDATE accounts SET balance = 88 WHERE id = 2")
	faultExec(t, a, "UPDATE accounts SET balance = 5 WHERE id = 1")
	err := tx.exec(t.Context(), "UPDATE accounts SET balance = 6 WHERE id = 1")
	want := faultContended.as(fault.ClassSerialization, "1020")
	want.checkInTx(t, err)
	if v := fault.Of(err, fault.Situation{InTx: true}); v.Outcome != fault.OutcomeRolledBack {
		t.Errorf("outcome %v in a transaction", v.Outcome)
	}
	if err := tx.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := faultBalance(t, b, "2"); got != "100" {
		t.Errorf("the server kept part of the transaction, balance is %s", got)
	}
}

func TestFaultMariaDBTableChanged(t *testing.T) {
	t.Parallel()
	a, b := faultPair(t, faultMySQL, dbtest.MariaDB(t).Database(t).DSN())
	faultExec(t, a, "CREATE TABLE other (id int PRIMARY KEY)")
	tx := faultBeginAt(t, b, sql.LevelRepeatableRead)
	faultExec(t, tx, "SELECT * FROM accounts", "UPDATE accounts SET balance = 99 WHERE id = 2")
	faultExec(t, a, "INSERT INTO other VALUES (1)", "ALTER TABLE other ADD COLUMN a int, ALGORITHM = COPY")
	err := tx.exec(t.Context(), "SELECT * FROM other")
	want := faultContended.as(fault.ClassSerialization, "1412")
	want.checkInTx(t, err)
	if v := fault.Of(err, fault.Situation{InTx: true}); v.Outcome != fault.OutcomeAnswered {
		t.Errorf("outcome %v in a transaction", v.Outcome)
	}
	if err := tx.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := faultBalance(t, b, "2"); got != "99" {
		t.Errorf("the server undid the transaction, balance is %s", got)
	}
}

// faultKiller watches and ends other connections of MariaDB. It knows that
// one lives, and what it does, by the locks that it holds.
type faultKiller struct{ faultConn }

// mark makes a connection hold a lock as long as it lives, and returns its
// number.
func (faultKiller) mark(t *testing.T, c faultConn) string {
	t.Helper()
	id, err := c.ask(t.Context(), "SELECT CONNECTION_ID()")
	if err != nil {
		t.Fatal(err)
	}
	faultExec(t, c, "DO GET_LOCK('alive "+id+"', 0)")
	return id
}

// until waits until a lock is held by the connection of a number; 0 is none.
func (k faultKiller) until(t *testing.T, lock, holder string) {
	t.Helper()
	for {
		got, err := k.ask(t.Context(), "SELECT COALESCE(IS_USED_LOCK('"+lock+"'), 0)")
		if err != nil {
			t.Fatal(err)
		}
		if got == holder {
			return
		}
	}
}

// untilGone waits until a marked connection has ended.
func (k faultKiller) untilGone(t *testing.T, id string) {
	t.Helper()
	k.until(t, "alive "+id, "0")
}

// kill ends a marked connection and waits for its end.
func (k faultKiller) kill(t *testing.T, id string) {
	t.Helper()
	faultExec(t, k, "KILL "+id)
	k.untilGone(t, id)
}

// sleep runs a statement that lasts, and calls then while it runs.
func (k faultKiller) sleep(ctx context.Context, t *testing.T, c faultConn, then func(id string)) error {
	t.Helper()
	id := k.mark(t, c)
	done := make(chan error, 1)
	go func() { done <- c.exec(ctx, "SELECT GET_LOCK('asleep "+id+"', 0), SLEEP(60)") }()
	k.until(t, "asleep "+id, id)
	then(id)
	return <-done
}

// TestFaultMariaDBKilled ends connections and statements. The server does not
// say 1927 to a client that it kills: it hangs up.
func TestFaultMariaDBKilled(t *testing.T) {
	t.Parallel()
	server := dbtest.MariaDB(t)
	db := server.Database(t)
	k := faultKiller{faultMySQL.open(t, server.Admin().DSN())}
	t.Run("while idle", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		k.kill(t, k.mark(t, conn))
		faultLost.check(t, conn.exec(t.Context(), "SELECT 1"))
	})
	t.Run("while a statement runs", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		faultLost.check(t, k.sleep(t.Context(), t, conn, func(id string) { k.kill(t, id) }))
	})
	t.Run("in a transaction", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		id := k.mark(t, conn)
		tx := faultBegin(t, conn)
		k.kill(t, id)
		faultLost.checkInTx(t, tx.exec(t.Context(), "SELECT 1"))
		_ = tx.rollback(t.Context())
	})
	t.Run("before COMMIT", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		id := k.mark(t, conn)
		tx := faultBegin(t, conn)
		k.kill(t, id)
		want := faultLost
		want.inTx = fault.RetryNone // it can't be told from one that committed
		want.checkCommit(t, tx.commit(t.Context()))
	})
	t.Run("statement alone", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		want := faultWant{class: fault.ClassCanceled, code: "1317", breaker: fault.BreakerExclude, outcome: fault.OutcomeAnswered, answered: true}
		want.check(t, k.sleep(t.Context(), t, conn, func(id string) { faultExec(t, k, "KILL QUERY "+id) }))
	})
	t.Run("by wait_timeout", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		id := k.mark(t, conn)
		faultExec(t, conn, "SET wait_timeout = 1")
		k.untilGone(t, id)
		faultLost.check(t, conn.exec(t.Context(), "SELECT 1"))
	})
}

// TestFaultMariaDBContexts ends the context of a running statement.
func TestFaultMariaDBContexts(t *testing.T) {
	t.Parallel()
	server := dbtest.MariaDB(t)
	db := server.Database(t)
	k := faultKiller{faultMySQL.open(t, server.Admin().DSN())}
	for cause, want := range map[error]fault.Verdict{
		context.Canceled:         {Class: fault.ClassCanceled},
		context.DeadlineExceeded: {Class: fault.ClassTimeout},
		fmt.Errorf("attempt: %w", fault.ErrAttemptTimeout): {Class: fault.ClassAttemptTimeout, Breaker: fault.BreakerFailure},
	} {
		conn := faultMySQL.open(t, db.DSN())
		ctx, cancel := context.WithCancelCause(t.Context())
		err := k.sleep(ctx, t, conn, func(string) { cancel(cause) })
		if got := fault.Of(err, fault.Situation{Cause: context.Cause(ctx)}); got != want {
			t.Errorf("%v: %v:\ngot  %+v\nwant %+v", cause, err, got, want)
		}
	}
}

var faultTooMany = fault.Verdict{
	Class: fault.ClassOverloaded, Retry: fault.RetryReconnect, Outcome: fault.OutcomeNotSent,
	Breaker: fault.BreakerFailure, Slow: true,
}

func TestFaultMariaDBConnect(t *testing.T) {
	t.Parallel()
	server := dbtest.MariaDB(t)
	db := server.Database(t)
	wrong := db
	wrong.Password = "wrong"
	refused := fault.Verdict{Class: fault.ClassAuth, Outcome: fault.OutcomeNotSent, Breaker: fault.BreakerFailure}
	faultChecksDial(t, faultMySQL, wrong.DSN(), refused, "1045")
	wrong = db
	wrong.Name = "mysql"
	refused.Class = fault.ClassPermission
	faultChecksDial(t, faultMySQL, wrong.DSN(), refused, "1044")
	wrong.Name = db.Name + "_nowhere"
	refused.Class = fault.ClassNotFound
	faultChecksDial(t, faultMySQL, wrong.DSN(), refused, "1049")
	wrong = db
	wrong.Port = 1
	faultChecksDial(t, faultMySQL, wrong.DSN(), faultNotMade, "")
	wrong = db
	wrong.Host = "host.invalid"
	faultChecksDial(t, faultMySQL, wrong.DSN(), faultNotMade, "")

	admin := faultMySQL.open(t, server.Admin().DSN())
	user := strings.ReplaceAll(db.Name, "dbt_", "u_")
	faultExec(t, admin, "CREATE USER "+user+"@'%' IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 1")
	t.Cleanup(func() { _ = admin.exec(context.Background(), "DROP USER "+user+"@'%'") })
	few := db
	few.User, few.Password, few.Name = user, "pw", ""
	faultMySQL.open(t, few.DSN())
	faultChecksDial(t, faultMySQL, few.DSN(), faultTooMany, "1226")
}

// TestFaultMariaDBServer changes a server's settings, stops it and kills it.
func TestFaultMariaDBServer(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindMariaDB, dbtest.Config("max-connections", "10"), dbtest.Config("max-user-connections", "100"))
	db := server.Database(t)
	k := faultKiller{faultMySQL.open(t, server.Admin().DSN())}
	conn, _ := faultPair(t, faultMySQL, db.DSN())
	t.Run("read-only", func(t *testing.T) {
		tx := faultBegin(t, conn)
		faultExec(t, tx, "UPDATE accounts SET balance = 1")
		faultExec(t, k, "SET GLOBAL read_only = 1")
		want := faultReadOnly.as(fault.ClassReadOnly, "1290")
		want.checkCommit(t, tx.commit(t.Context()))
		if got := faultBalance(t, conn, "1"); got != "100" {
			t.Errorf("the verdict says rolled back, and the update stayed: %s", got)
		}
		want.check(t, conn.exec(t.Context(), "UPDATE accounts SET balance = 2"))
		faultExec(t, k, "SET GLOBAL read_only = 0")
		unsupported := faultAnswer(fault.ClassUnsupported)
		unsupported.code = "1290"
		unsupported.check(t, k.exec(t.Context(), "SELECT 1 INTO OUTFILE '/nowhere/file'"))
	})
	t.Run("too many connections", func(t *testing.T) {
		faultExec(t, k, "SET GLOBAL max_user_connections = 1")
		faultChecksDial(t, faultMySQL, db.DSN(), faultTooMany, "1203")
		faultExec(t, k, "SET GLOBAL max_user_connections = 100")
		var open []faultConn
		for range 8 { // with the three above more than there may be, but for the administrator's own
			if c, err := faultMySQL.dial(t.Context(), db.DSN()); err == nil {
				open = append(open, c)
			}
		}
		faultChecksDial(t, faultMySQL, db.DSN(), faultTooMany, "1040")
		for _, c := range open {
			c.close()
		}
	})
	t.Run("stopped", func(t *testing.T) {
		faultLost.check(t, k.sleep(t.Context(), t, conn, func(string) { faultMust(t, server.Stop()) }))
		faultChecksDial(t, faultMySQL, db.DSN(), faultNotMade, "")
		faultMust(t, server.Restart(t.Context()))
	})
	t.Run("killed", func(t *testing.T) {
		conn := faultMySQL.open(t, db.DSN())
		tx := faultBegin(t, conn)
		faultExec(t, tx, "UPDATE accounts SET balance = 3")
		faultMust(t, server.Kill())
		want := faultLost
		want.inTx = fault.RetryNone
		want.checkCommit(t, tx.commit(t.Context()))
		faultMust(t, server.Restart(t.Context()))
	})
	t.Run("paused", func(t *testing.T) {
		faultMust(t, server.Pause())
		_, err := faultMySQL.dial(t.Context(), db.DSN("readTimeout=200ms"))
		v := fault.Of(err, fault.Situation{Phase: fault.PhaseConnect})
		if v.DiscardConn = false; v != faultNotMade {
			t.Errorf("%v: got %+v, want %+v", err, v, faultNotMade)
		}
		faultMust(t, server.Resume())
	})
}
