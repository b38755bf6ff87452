package integration_test

import (
	"database/sql"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/faultproxy"
	"github.com/sessionproxy/sessionproxy/sptest/mysqlfaults"
	"github.com/sessionproxy/sessionproxy/sptest/pgxfaults"
	"github.com/sessionproxy/sessionproxy/sptest/pqfaults"
	"github.com/sessionproxy/sessionproxy/sptest/sqlitefaults"
)

// sameVerdicts fails unless package fault can't tell an error that sptest makes from
// the one that a real server has caused, whatever the situation.
func sameVerdicts(t *testing.T, what string, made, caused error) {
	t.Helper()
	if made == nil || caused == nil {
		t.Errorf("%s: made %v, real %v", what, made, caused)
		return
	}
	if m, r := fault.Code(made), fault.Code(caused); m != r {
		t.Errorf("%s: the made error has the code %q, the real one %q: %v, %v", what, m, r, made, caused)
	}
	for phase := fault.PhaseStatement; phase <= fault.PhaseUnit; phase++ {
		for progress := fault.ProgressUnknown; progress <= fault.ProgressAnswered; progress++ {
			for flags := range 4 {
				s := fault.Situation{Phase: phase, Progress: progress, Idempotent: flags&1 != 0, InTx: flags&2 != 0}
				if m, r := fault.Of(made, s), fault.Of(caused, s); m != r {
					t.Errorf("%s, %+v:\nmade %v: %+v\nreal %v: %+v", what, s, made, m, caused, r)
					return
				}
			}
		}
	}
}

// realLosses returns what a driver says of a connection that is cut under a
// statement, before and after the statement was performed.
func realLosses(t *testing.T, d faultDriver, db dbtest.Database) (before, after error) {
	t.Helper()
	p := faultproxy.Start(t, "tcp", net.JoinHostPort(db.Host, strconv.Itoa(db.Port)))
	db.Host, db.Port = "127.0.0.1", p.Port()
	lose := func(drop func(string)) error {
		tx := faultBegin(t, d.open(t, db.DSN())) // in which nobody sends it again
		drop("balance = 4711")
		return tx.exec(t.Context(), "UPDATE accounts SET balance = 4711")
	}
	return lose(p.DropRequest), lose(p.DropReplyTo)
}

// realRefusal is that of a port where nobody listens.
func realRefusal(t *testing.T, d faultDriver, db dbtest.Database) error {
	t.Helper()
	db.Host, db.Port = "127.0.0.1", 1
	c, err := d.dial(t.Context(), db.DSN())
	if err == nil {
		c.close()
	}
	return err
}

func TestMadeErrorsOfPostgresAreJudgedLikeRealOnes(t *testing.T) {
	t.Parallel()
	onFaultPostgres(t, func(t *testing.T, d faultDriver, db dbtest.Database) {
		made := pgxfaults.New(t)
		if d.name == "lib/pq" {
			made = pqfaults.New(t)
		}
		a, b := faultPair(t, d, db.DSN())
		w := d.open(t, db.DSN())

		tx := faultBeginAt(t, a, sql.LevelRepeatableRead)
		faultExec(t, tx, "SELECT * FROM accounts")
		faultExec(t, b, "UPDATE accounts SET balance = 50 WHERE id = 1")
		sameVerdicts(t, "serialization", made.Serialization, tx.exec(t.Context(), "UPDATE accounts SET balance = 60 WHERE id = 1"))
		_ = tx.rollback(t.Context())

		sameVerdicts(t, "deadlock", made.Deadlock, faultDeadlock(t, a, b))

		holder := faultBegin(t, a)
		faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
		faultExec(t, b, "SET lock_timeout = '10ms'")
		sameVerdicts(t, "lock timeout", made.LockTimeout, b.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
		_ = holder.rollback(t.Context())

		sameVerdicts(t, "unique", made.UniqueViolation, a.exec(t.Context(), "INSERT INTO accounts VALUES (1, 1)"))
		faultExec(t, a, "SET default_transaction_read_only = on")
		sameVerdicts(t, "read-only", made.ReadOnly, a.exec(t.Context(), "UPDATE accounts SET balance = 2"))

		before, after := realLosses(t, d, db)
		sameVerdicts(t, "lost before", made.LostBefore, before)
		sameVerdicts(t, "lost after", made.LostAfter, after)
		sameVerdicts(t, "refused", made.Refused, realRefusal(t, d, db))

		faultExec(t, w, "ALTER DATABASE "+db.Name+" CONNECTION LIMIT 1")
		_, err := d.dial(t.Context(), db.DSN())
		sameVerdicts(t, "too many", made.TooManyConnections, err)
	})
}

func TestMadeErrorsOfMariaDBAreJudgedLikeRealOnes(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindMariaDB, dbtest.Config("max-connections", "10"))
	db := server.Database(t)
	made := mysqlfaults.NewMariaDB(t)
	admin := faultMySQL.open(t, server.Admin().DSN())
	a, b := faultPair(t, faultMySQL, db.DSN())

	faultExec(t, b, "SET innodb_snapshot_isolation = ON")
	tx := faultBeginAt(t, b, sql.LevelRepeatableRead)
	faultExec(t, tx, "SELECT * FROM accounts")
	faultExec(t, a, "UPDATE accounts SET balance = 5 WHERE id = 1")
	sameVerdicts(t, "serialization", made.Serialization, tx.exec(t.Context(), "UPDATE accounts SET balance = 6 WHERE id = 1"))
	_ = tx.rollback(t.Context())
	sameVerdicts(t, "deadlock", made.Deadlock, faultDeadlock(t, a, b))
	holder := faultBegin(t, a)
	faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
	faultExec(t, b, "SET innodb_lock_wait_timeout = 1")
	sameVerdicts(t, "lock timeout", made.LockTimeout, b.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
	_ = holder.rollback(t.Context())
	sameVerdicts(t, "unique", made.UniqueViolation, a.exec(t.Context(), "INSERT INTO accounts VALUES (1, 1)"))
	faultExec(t, admin, "SET GLOBAL read_only = 1")
	sameVerdicts(t, "read-only", made.ReadOnly, a.exec(t.Context(), "UPDATE accounts SET balance = 2"))
	faultExec(t, admin, "SET GLOBAL read_only = 0")
	faultExec(t, a, "SET max_heap_table_size = 16384", "CREATE TABLE filler (x char(200)) ENGINE = MEMORY")
	full := "INSERT INTO filler VALUES ('x')" + strings.Repeat(", ('x')", 999)
	sameVerdicts(t, "full", made.Full, a.exec(t.Context(), full))

	before, after := realLosses(t, faultMySQL, db)
	sameVerdicts(t, "lost before", made.LostAfter, before) // the driver has written it, and can't tell
	sameVerdicts(t, "lost after", made.LostAfter, after)
	sameVerdicts(t, "refused", made.Refused, realRefusal(t, faultMySQL, db))
	var open []faultConn
	for range 10 {
		if c, err := faultMySQL.dial(t.Context(), db.DSN()); err == nil {
			open = append(open, c)
		}
	}
	_, err := faultMySQL.dial(t.Context(), db.DSN())
	sameVerdicts(t, "too many", made.TooManyConnections, err)
	for _, c := range open {
		c.close()
	}
}

func TestMadeErrorsOfSQLiteAreJudgedLikeRealOnes(t *testing.T) {
	t.Parallel()
	made := sqlitefaults.New(t)
	a, b := faultPair(t, faultSQLite, faultSQLiteFile(t, "_pragma=journal_mode(wal)"))
	tx := faultBegin(t, a)
	faultExec(t, tx, "SELECT * FROM accounts")
	faultExec(t, b, "UPDATE accounts SET balance = 1 WHERE id = 1")
	sameVerdicts(t, "serialization", made.Serialization, tx.exec(t.Context(), "UPDATE accounts SET balance = 2 WHERE id = 1"))
	faultRollback(t, tx)
	holder := faultBegin(t, a)
	faultExec(t, holder, "UPDATE accounts SET balance = 1 WHERE id = 1")
	sameVerdicts(t, "lock timeout", made.LockTimeout, b.exec(t.Context(), "UPDATE accounts SET balance = 2"))
	faultRollback(t, holder)
	faultExec(t, a, "CREATE TABLE names (name TEXT UNIQUE)", "INSERT INTO names VALUES ('x')")
	sameVerdicts(t, "unique", made.UniqueViolation, a.exec(t.Context(), "INSERT INTO names VALUES ('x')"))
	faultExec(t, b, "PRAGMA query_only = 1")
	sameVerdicts(t, "read-only", made.ReadOnly, b.exec(t.Context(), "UPDATE accounts SET balance = 2"))
	faultExec(t, a, "PRAGMA max_page_count = 1")
	sameVerdicts(t, "full", made.Full, a.exec(t.Context(), "INSERT INTO names VALUES (zeroblob(1000000))"))
	_, err := faultSQLite.dial(t.Context(), "file:"+t.TempDir()+"/nowhere/file.db?_pragma=journal_mode(wal)")
	sameVerdicts(t, "refused", made.Refused, err)
}
