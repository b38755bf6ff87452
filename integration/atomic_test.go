package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// eager is a retry that takes every chance that it may, at once.
func eagerRetry(more ...retry.Option) sp.Interceptor {
	return must(retry.New(append([]retry.Option{
		retry.WithAttempts(4), retry.WithoutBudget(), retry.WithLockTimeouts(),
		retry.WithJitter(func(time.Duration) time.Duration { return 0 }),
	}, more...)...))
}

// onceLocked calls release as soon as a statement has failed for the first time.
func onceLocked(release func()) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			err := next(ctx, call)
			if err != nil && release != nil {
				release()
				release = nil
			}
			return err
		}
	})
}

// TestAStatementThatLeavesPartsBehindIsNotRepeated runs what a server does not
// undo as a whole into a lock that is gone before a second attempt: a retry
// would report success.
func TestAStatementThatLeavesPartsBehindIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text string }{
		{"create index", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"},
		{"reindex", "REINDEX INDEX CONCURRENTLY j"},
		{"several statements", "INSERT INTO log VALUES (1); COMMIT; LOCK TABLE t"},
		{"block", "DO $$ BEGIN INSERT INTO log VALUES (1); COMMIT; LOCK TABLE t; END $$"},
		{"procedure", "CALL p()"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.Postgres(t).Database(t)
			plain := openPlain(t, "pgx", db.DSN())
			for _, text := range []string{
				"CREATE TABLE t (a int)", "CREATE INDEX j ON t (a)", "CREATE TABLE log (n int)",
				"CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); COMMIT; LOCK TABLE t; END $$",
			} {
				mustExec(t, plain, text)
			}
			for _, lane := range []string{"sqldb", "sqldb handle", "pgxdb"} {
				holder := must(plain.BeginTx(t.Context(), nil))
				must(holder.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"))
				chain := sp.NewChain(eagerRetry(), onceLocked(func() { _ = holder.Rollback() }))
				err := execOn(t, lane, db, chain, c.text)
				_ = holder.Rollback()
				if fault.Code(err) != "55P03" {
					t.Errorf("%s: %v", lane, err)
				}
				mustExec(t, plain, "DROP INDEX IF EXISTS i")
				mustExec(t, plain, "DROP INDEX IF EXISTS j_ccnew")
				rows := 0
				if err := plain.QueryRowContext(t.Context(), "WITH gone AS (DELETE FROM log RETURNING n) SELECT count(*) FROM gone").Scan(&rows); err != nil || rows > 1 {
					t.Errorf("%s: the first part was done %d times, %v", lane, rows, err)
				}
			}
		})
	}
}

// TestAnErrorInsideAStatementIsNoRefusal: what a server says when it takes no
// connection, a procedure that has committed may report of another server.
func TestAnErrorInsideAStatementIsNoRefusal(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, plain *sql.DB, exec func(text string) error, code, text string) {
		t.Helper()
		if err := exec(text); fault.Code(err) != code {
			t.Errorf("%s: %v", text, err)
		}
		rows := 0
		if err := plain.QueryRowContext(t.Context(), "SELECT count(*) FROM log").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("%s: the first part was done %d times, %v", text, rows, err)
		}
		mustExec(t, plain, "DELETE FROM log")
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := dbtest.Postgres(t).Database(t).DSN()
		plain := openPlain(t, "pgx", dsn)
		mustExec(t, plain, "CREATE TABLE log (n int)")
		mustExec(t, plain, `CREATE PROCEDURE p(code text) LANGUAGE plpgsql AS $$
			BEGIN INSERT INTO log VALUES (1); COMMIT; RAISE EXCEPTION 'no connection' USING ERRCODE = code; END $$`)
		pool := must(pgxdb.NewPool(t.Context(), dsn, sp.NewChain(eagerRetry())))
		defer pool.Close()
		ways := []func(string) error{func(text string) error { _, err := pool.Exec(t.Context(), text); return err }}
		for _, driver := range []string{"pgx", "postgres"} {
			db := openDSN(t, driver, dsn, eagerRetry())
			ways = append(ways, func(text string) error { _, err := db.ExecContext(t.Context(), text); return err })
		}
		for _, exec := range ways {
			for _, code := range []string{"08001", "08004", "53300", "57P03", "57P05"} {
				check(t, plain, exec, code, "CALL p('"+code+"')")
			}
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		dsn := dbtest.MariaDB(t).Database(t).DSN()
		plain := openPlain(t, "mysql", dsn)
		mustExec(t, plain, "CREATE TABLE log (n INT)")
		db := openDSN(t, "mysql", dsn, eagerRetry())
		exec := func(text string) error { _, err := db.ExecContext(t.Context(), text); return err }
		for _, code := range []string{"1040", "1203", "1226"} {
			mustExec(t, plain, "CREATE PROCEDURE p"+code+"() BEGIN INSERT INTO log VALUES (1); COMMIT;"+
				" SIGNAL SQLSTATE '08004' SET MYSQL_ERRNO = "+code+"; END")
			check(t, plain, exec, code, "CALL p"+code+"()")
		}
	})
}

// execOn runs a statement through a chain in one of the ways there are, with a
// limit on the wait for locks.
func execOn(t *testing.T, lane string, db dbtest.Database, chain sp.Chain, text string) error {
	t.Helper()
	const limit = "SET lock_timeout = 100"
	if lane == "pgxdb" {
		pool, err := pgxdb.NewPool(t.Context(), db.DSN(), chain)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		conn := must(pool.Acquire(t.Context()))
		defer conn.Release()
		must(conn.Exec(t.Context(), limit))
		_, err = conn.Exec(t.Context(), text)
		return err
	}
	sqlDB := must(sqldb.Open("pgx", db.DSN()+"&lock_timeout=100&default_query_exec_mode=simple_protocol", chain))
	t.Cleanup(func() { _ = sqlDB.Close() })
	if lane == "sqldb" {
		_, err := sqlDB.ExecContext(t.Context(), text)
		return err
	}
	_, err := must(sqldb.Wrap(sqlDB)).ExecContext(t.Context(), text)
	return err
}

// openPlain opens a database without this library.
func openPlain(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db := must(sql.Open(driver, dsn))
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestAWriteIntoATableWithoutTransactionsIsNotRepeated holds that rows which a
// table keeps are not written twice.
func TestAWriteIntoATableWithoutTransactionsIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"INSERT INTO kept SELECT id FROM src FOR UPDATE",
		"REPLACE INTO kept SELECT id FROM src FOR UPDATE",
		"INSERT INTO kept VALUES (1), (2), ((SELECT id FROM src WHERE id = 3 FOR UPDATE))",
		"INSERT INTO kept (id) WITH c AS (SELECT id FROM src FOR UPDATE) SELECT id FROM c",
		"SELECT id FROM src FOR UPDATE INTO OUTFILE 'nowhere'",
		"SET STATEMENT lock_wait_timeout = 2 FOR INSERT INTO kept SELECT id FROM src FOR UPDATE",
		"BEGIN NOT ATOMIC INSERT INTO kept VALUES (1); SELECT id FROM src FOR UPDATE; END",
		"/*!40000 INSERT INTO kept */ SELECT id FROM src FOR UPDATE",
		"UPDATE kept, src SET kept.id = kept.id + 10, src.n = 1",
		"UPDATE (src, kept) SET kept.id = kept.id + 10, src.n = 1",
		"DELETE src, kept FROM src JOIN kept",
		"UPDATE kept SET id = id + 10 WHERE id IN (SELECT id FROM src FOR UPDATE)",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.MariaDB(t).Database(t).DSN()
			plain := openPlain(t, "mysql", dsn)
			for _, text := range []string{
				"CREATE TABLE src (id INT PRIMARY KEY, n INT) ENGINE=InnoDB", "INSERT INTO src VALUES (1, 0), (2, 0), (3, 0)",
				"CREATE TABLE kept (id INT) ENGINE=MyISAM", "INSERT INTO kept VALUES (1), (2), (3)",
			} {
				mustExec(t, plain, text)
			}
			holder := must(plain.BeginTx(t.Context(), nil))
			defer func() { _ = holder.Rollback() }()
			must(holder.ExecContext(t.Context(), "SELECT id FROM src WHERE id = 3 FOR UPDATE"))
			attempts := 0
			count := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
				return func(ctx context.Context, call *sp.Call) error {
					if call.Text == text {
						attempts++
					}
					return next(ctx, call)
				}
			})
			db := openDSN(t, "mysql", dsn+"?innodb_lock_wait_timeout=1&multiStatements=true", eagerRetry(), count, onceLocked(func() { _ = holder.Rollback() }))
			_, err := db.ExecContext(t.Context(), text)
			if attempts != 1 || err == nil {
				t.Errorf("attempts %d: %v", attempts, err)
			}
		})
	}
}

// TestALoadFromAReaderIsNotRepeated: the reader is at its end after the first
// attempt, and a second one would load nothing and succeed.
func TestALoadFromAReaderIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindMariaDB, dbtest.Config("local-infile", "1"))
	dsn := server.Database(t).DSN()
	plain := openPlain(t, "mysql", dsn)
	mustExec(t, plain, "CREATE TABLE loaded (id INT PRIMARY KEY, v INT) ENGINE=InnoDB")
	mustExec(t, plain, "INSERT INTO loaded VALUES (2, 0)")
	holder := must(plain.BeginTx(t.Context(), nil))
	defer func() { _ = holder.Rollback() }()
	must(holder.ExecContext(t.Context(), "UPDATE loaded SET v = 9 WHERE id = 2"))
	src := strings.NewReader("1\t1\n2\t2\n3\t3\n")
	mysql.RegisterReaderHandler("atomic", func() io.Reader { return src })
	defer mysql.DeregisterReaderHandler("atomic")
	db := openDSN(t, "mysql", dsn+"?innodb_lock_wait_timeout=1", eagerRetry(), onceLocked(func() { _ = holder.Rollback() }))
	_, err := db.ExecContext(t.Context(), "LOAD DATA LOCAL INFILE 'Reader::atomic' REPLACE INTO TABLE loaded")
	if fault.Code(err) != "1205" {
		t.Error(err)
	}
}

// TestALoadWhoseReaderFailsIsNotRepeated: what the reader could not reach is not the
// database, which keeps what it got before.
func TestALoadWhoseReaderFailsIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := dbtest.Private(t, dbtest.KindMariaDB, dbtest.Config("local-infile", "1"))
	dsn := server.Database(t).DSN()
	plain := openPlain(t, "mysql", dsn)
	mustExec(t, plain, "CREATE TABLE loaded (id INT)")
	readers := 0
	mysql.RegisterReaderHandler("unreachable", func() io.Reader {
		readers++
		return io.MultiReader(strings.NewReader("1\n2\n"), iotest.ErrReader(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}))
	})
	defer mysql.DeregisterReaderHandler("unreachable")
	_, err := openDSN(t, "mysql", dsn, eagerRetry()).ExecContext(t.Context(), "LOAD DATA LOCAL INFILE 'Reader::unreachable' INTO TABLE loaded")
	rows := 0
	if serr := plain.QueryRowContext(t.Context(), "SELECT count(*) FROM loaded").Scan(&rows); serr != nil || readers != 1 || rows > 2 {
		t.Errorf("%d readers, %d rows of 2, %v, %v", readers, rows, err, serr)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}

// TestAnAtomicStatementIsRepeated is the other side: what is undone as a whole
// is run again, into the same locks.
func TestAnAtomicStatementIsRepeated(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		db := dbtest.Postgres(t).Database(t)
		plain := openPlain(t, "pgx", db.DSN())
		mustExec(t, plain, "CREATE TABLE t (a int primary key, n int)")
		mustExec(t, plain, "INSERT INTO t VALUES (1, 0)")
		for _, lane := range []string{"sqldb", "sqldb handle", "pgxdb"} {
			for _, text := range []string{
				"UPDATE t SET n = n + 1", "WITH w AS (UPDATE t SET n = n + 1 RETURNING n) SELECT * FROM w",
				"INSERT INTO t VALUES (1, 1) ON CONFLICT (a) DO UPDATE SET n = t.n + 1", "(SELECT n FROM t FOR UPDATE)",
			} {
				holder := must(plain.BeginTx(t.Context(), nil))
				must(holder.ExecContext(t.Context(), "SELECT * FROM t FOR UPDATE"))
				if err := execOn(t, lane, db, sp.NewChain(eagerRetry(), onceLocked(func() { _ = holder.Rollback() })), text); err != nil {
					t.Errorf("%s: %s: %v", lane, text, err)
				}
				_ = holder.Rollback()
			}
		}
		n := 0
		if err := plain.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 9 {
			t.Errorf("n = %d, want 9: %v", n, err)
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		dsn := dbtest.MariaDB(t).Database(t).DSN()
		plain := openPlain(t, "mysql", dsn)
		mustExec(t, plain, "CREATE TABLE t (a INT PRIMARY KEY, n INT) ENGINE=InnoDB")
		mustExec(t, plain, "INSERT INTO t VALUES (1, 0)")
		holder := must(plain.BeginTx(t.Context(), nil))
		defer func() { _ = holder.Rollback() }()
		must(holder.ExecContext(t.Context(), "SELECT * FROM t FOR UPDATE"))
		db := openDSN(t, "mysql", dsn+"?innodb_lock_wait_timeout=1", eagerRetry(), onceLocked(func() { _ = holder.Rollback() }))
		mustExec(t, db, "UPDATE t SET n = n + 1 WHERE a = 1")
		n := 0
		if err := plain.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 1 {
			t.Errorf("n = %d, want 1: %v", n, err)
		}
	})
}

// TestALimitThatTheCallerSetIsObeyed: pg_advisory_lock under a lock_timeout
// takes that long, and not three times as long.
func TestALimitThatTheCallerSetIsObeyed(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t).Database(t)
	plain := openPlain(t, "pgx", db.DSN())
	holder := must(plain.Conn(t.Context()))
	defer func() { _ = holder.Close() }()
	must(holder.ExecContext(t.Context(), "SELECT pg_advisory_lock(7)"))
	for _, lane := range []string{"sqldb", "sqldb handle", "pgxdb"} {
		w := &attempts{}
		err := execOn(t, lane, db, sp.NewChain(must(retry.New()), w), "SELECT pg_advisory_lock(7)")
		if fault.Code(err) != "55P03" || w.n != 1 {
			t.Errorf("%s: %d attempts, %v", lane, w.n, err)
		}
	}
	w := &attempts{}
	handle := must(sqldb.Wrap(must(sqldb.Open("pgx", db.DSN()+"&lock_timeout=100", sp.NewChain(must(retry.New()), w)))))
	t.Cleanup(func() { _ = handle.Close() })
	runs := 0
	err := handle.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
		runs++
		_, err := tx.ExecContext(ctx, "SELECT pg_advisory_lock(7)")
		return err
	})
	if fault.Code(err) != "55P03" || runs != 1 {
		t.Errorf("a unit ran %d times, %v", runs, err)
	}
}

// attempts counts how often a statement that takes a lock is tried.
type attempts struct{ n int }

func (a *attempts) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if strings.Contains(call.Text, "pg_advisory_lock") && !call.InTx {
			a.n++
		}
		return next(ctx, call)
	}
}
