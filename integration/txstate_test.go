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
	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/retry"
)

// lastInTx tells whether the last statement was taken for one in a transaction.
type lastInTx struct{ in bool }

func (l *lastInTx) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op == sp.OpExec && call.Scope != sp.ScopePool {
			l.in = call.InTx
		}
		return next(ctx, call)
	}
}

// TestAServerSaysWhetherATransactionIsOpen holds that a connection which may be
// in a transaction is known again when the pool hands it out.
func TestAServerSaysWhetherATransactionIsOpen(t *testing.T) {
	t.Parallel()
	const several = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
	for name, c := range map[string]struct {
		prepare []string
		steps   []string // each followed by a statement, which is in a transaction if the step ends in " +"
	}{
		// pgx closes a connection that is left in a transaction; see below.
		"pgx on PostgreSQL":    {steps: []string{several, "SET ROLE NONE", "DO $$ BEGIN PERFORM 1; END $$"}},
		"lib/pq on PostgreSQL": {steps: []string{several, "SELECT 1; BEGIN +", "SELECT 1; COMMIT", "BEGIN +", "ROLLBACK"}},
		"modernc on SQLite":    {steps: []string{several, "SELECT 1; BEGIN +", "SELECT 1; COMMIT", "SAVEPOINT a +", "RELEASE a"}},
		"mysql on MariaDB": {
			prepare: []string{
				"CREATE PROCEDURE nothing() SELECT 1 INTO @a",
				"CREATE PROCEDURE begins() START TRANSACTION",
			},
			steps: []string{
				"CALL nothing()", "CALL begins() +", "COMMIT", "SET autocommit=0 +", "COMMIT +", "SET autocommit=1",
				"SET completion_type=CHAIN +", "SET completion_type=NO_CHAIN", "BEGIN +", "COMMIT AND CHAIN +", "ROLLBACK",
				"SET STATEMENT max_statement_time=1 FOR SELECT 1",
			},
		},
	} {
		for _, d := range databases {
			if d.name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				seen := &lastInTx{}
				db := d.open(t, seen).DB
				db.SetMaxOpenConns(1)
				mustExec(t, db, "CREATE TABLE t (n INTEGER)")
				mustExec(t, db, c.prepare...)
				for _, step := range c.steps {
					text, in := strings.CutSuffix(step, " +")
					mustExec(t, db, text, "UPDATE t SET n = n + 1")
					if seen.in != in {
						t.Errorf("after %q: in a transaction %t, want %t", text, seen.in, in)
					}
				}
			})
		}
	}
}

// TestPgxIsNeverHandedOutInATransaction holds that pgx itself keeps connections in
// a transaction from the pool, on which sqldb relies.
func TestPgxIsNeverHandedOutInATransaction(t *testing.T) {
	t.Parallel()
	seen := &lastInTx{}
	db := openDSN(t, "pgx", dbtest.Postgres(t).Database(t).DSN(), seen).DB
	db.SetMaxOpenConns(1)
	pid := func() (pid int) {
		if err := db.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	first := pid()
	mustExec(t, db, "BEGIN", "SET ROLE NONE")
	if seen.in || pid() == first {
		t.Errorf("a connection in a transaction was handed out: in a transaction %t", seen.in)
	}
}

// TestNoHalfOfATransactionWithoutBegin: a deadlock undoes the first statement of a
// transaction that nobody has begun by BEGIN; the second must not be retried alone.
func TestNoHalfOfATransactionWithoutBegin(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T, conn *sql.Conn){
		"SET": func(t *testing.T, conn *sql.Conn) {
			mustExec(t, conn, "SET autocommit=0")
		},
		"on the driver's connection": func(t *testing.T, conn *sql.Conn) {
			if err := conn.Raw(func(c any) error {
				_, err := sqldb.Raw(c).(driver.ExecerContext).ExecContext(t.Context(), "SET autocommit=0", nil)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		},
		"by the server, meanwhile": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := dbtest.Private(t, dbtest.KindMariaDB)
			dsn := server.Database(t).DSN()
			plain := openPlain(t, "mysql", dsn+"?autocommit=1")
			db := openDSN(t, "mysql", dsn, must(retry.New())).DB
			mustExec(t, plain, "CREATE TABLE d (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO d VALUES (1, 0), (2, 0), (3, 0), (4, 0)")
			conn := must(db.Conn(t.Context()))
			defer conn.Close()
			if begin != nil {
				begin(t, conn)
			} else {
				must(server.Admin().Query(t.Context(), "SET GLOBAL autocommit=0"))
				conn = must(db.Conn(t.Context()))
				defer conn.Close()
			}
			other := must(plain.BeginTx(t.Context(), nil))
			for id := 2; id <= 4; id++ { // it is the heavier one, and spared
				must(other.ExecContext(t.Context(), "UPDATE d SET n = n + 1 WHERE id = ?", id))
			}
			mustExec(t, conn, "UPDATE d SET n = n + 10 WHERE id = 1")
			done := make(chan error, 1)
			go func() {
				_, err := other.ExecContext(context.Background(), "UPDATE d SET n = n + 1 WHERE id = 1")
				done <- errors.Join(err, other.Rollback())
			}()
			_, err := conn.ExecContext(t.Context(), "UPDATE d SET n = n + 10 WHERE id = 2")
			if other := <-done; other != nil {
				t.Fatal(other)
			}
			if my, ok := errors.AsType[*mysql.MySQLError](err); !ok || my.Number != 1213 {
				t.Fatalf("the second statement: %v, want the deadlock's 1213", err)
			}
			mustExec(t, conn, "COMMIT")
			var sum int
			if err := plain.QueryRowContext(t.Context(), "SELECT sum(n) FROM d").Scan(&sum); err != nil || sum != 0 {
				t.Errorf("%d was committed, %v; want nothing of a transaction that was undone", sum, err)
			}
		})
	}
}

// TestALockTimeoutLeavesTheTransaction: a server whose innodb_rollback_on_timeout
// is off undoes the statement alone, and the transaction goes on as without us.
func TestALockTimeoutLeavesTheTransaction(t *testing.T) {
	t.Parallel()
	db := openDSN(t, "mysql", dbtest.MariaDB(t).Database(t).DSN(), &watch{}).DB
	mustExec(t, db, "CREATE TABLE d (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO d VALUES (1, 0), (2, 0)")
	other := must(db.BeginTx(t.Context(), nil))
	defer other.Rollback()
	must(other.ExecContext(t.Context(), "UPDATE d SET n = 1 WHERE id = 2"))
	tx := must(db.BeginTx(t.Context(), nil))
	must(tx.ExecContext(t.Context(), "SET innodb_lock_wait_timeout = 1"))
	must(tx.ExecContext(t.Context(), "UPDATE d SET n = 5 WHERE id = 1"))
	_, err := tx.ExecContext(t.Context(), "UPDATE d SET n = 5 WHERE id = 2")
	if my, ok := errors.AsType[*mysql.MySQLError](err); !ok || my.Number != 1205 {
		t.Fatalf("%v, want a lock wait timeout", err)
	}
	n := 0
	if err := tx.QueryRowContext(t.Context(), "SELECT n FROM d WHERE id = 1").Scan(&n); err != nil || n != 5 {
		t.Errorf("the next statement reads %d: %v", n, err)
	}
	if err := tx.Commit(); err != nil {
		t.Errorf("commit: %v", err)
	}
}

// TestALimitThatAStatementSetsEndsTheUnit: MariaDB has one code for its default and
// for NOWAIT, which was asked for.
func TestALimitThatAStatementSetsEndsTheUnit(t *testing.T) {
	t.Parallel()
	dsn := dbtest.MariaDB(t).Database(t).DSN("innodb_lock_wait_timeout=1")
	plain := openPlain(t, "mysql", dsn)
	mustExec(t, plain, "CREATE TABLE d (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO d VALUES (1, 0)")
	for _, tc := range []struct {
		text string
		runs int
		more []retry.Option
	}{
		{"SELECT n FROM d WHERE id = 1 FOR UPDATE NOWAIT", 1, nil},
		{"SELECT n FROM d WHERE id = 1 FOR UPDATE WAIT 1", 1, nil},
		{"SET STATEMENT innodb_lock_wait_timeout = 1 FOR UPDATE d SET n = 1", 1, nil},
		{"SELECT n FROM d WHERE id = 1 FOR UPDATE NOWAIT", 2, []retry.Option{retry.WithLockTimeouts()}},
		{"SELECT n FROM d WHERE id = 1 FOR UPDATE", 2, nil},
	} {
		db := openDSN(t, "mysql", dsn, must(retry.New(append(tc.more, retry.WithAttempts(2))...)))
		holder := must(plain.BeginTx(t.Context(), nil))
		must(holder.ExecContext(t.Context(), "UPDATE d SET n = 1 WHERE id = 1"))
		for _, flat := range []bool{false, true} {
			runs := 0
			err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx *sql.Tx) error {
				runs++
				rows, err := tx.QueryContext(ctx, tc.text)
				if err == nil {
					rows.Next()
					err = errors.Join(rows.Err(), rows.Close())
				}
				if flat {
					return fmt.Errorf("flattened: %v", err)
				}
				return err
			})
			if err == nil || runs != tc.runs {
				t.Errorf("%s, flattened %t: %d runs, want %d: %v", tc.text, flat, runs, tc.runs, err)
			}
		}
		if err := holder.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

// stateOf runs texts one after the other and tells after each whether a
// transaction is open.
type stateOf func(text string) (inTx bool, err error)

// TestTextsDoToTransactionsWhatIsSaidOfThem holds the lists of what is neutral,
// begins and ends against servers.
func TestTextsDoToTransactionsWhatIsSaidOfThem(t *testing.T) {
	t.Parallel()
	texts := []string{
		"BEGIN", "START TRANSACTION", "START TRANSACTION READ ONLY", "BEGIN WORK", "BEGIN IMMEDIATE", "COMMIT", "COMMIT WORK", "END", "END TRANSACTION",
		"ROLLBACK", "ROLLBACK WORK", "ABORT", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "COMMIT AND NO CHAIN", "SAVEPOINT a", "RELEASE SAVEPOINT a",
		"ROLLBACK TO SAVEPOINT a", "SELECT 1", "(SELECT 1)", "VALUES (1)", "INSERT INTO e VALUES (1)", "UPDATE e SET n = 2", "DELETE FROM e",
		"REPLACE INTO e VALUES (3)", "WITH x AS (SELECT 1) SELECT * FROM x", "TABLE e", "CREATE TABLE f (n INT)", "ALTER TABLE f ADD m INT", "DROP TABLE f",
		"TRUNCATE TABLE e", "SHOW TABLES", "SHOW search_path", "EXPLAIN SELECT 1", "DESCRIBE e", "SET ROLE NONE", "SET NAMES utf8mb4", "SET @a = 1",
		"SET SESSION sql_mode = ''", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "PREPARE s AS SELECT 1", "EXECUTE s",
		"PREPARE TRANSACTION 'x'", "DO $$ BEGIN PERFORM 1; END $$", "CALL committing()", "LOCK TABLES e WRITE", "UNLOCK TABLES", "ANALYZE", "ANALYZE TABLE e", "VACUUM",
		"PRAGMA user_version", "LISTEN a", "DISCARD ALL", "GRANT SELECT ON e TO PUBLIC", "FLUSH TABLES", "OPTIMIZE TABLE e", "RENAME TABLE e TO g", "RENAME TABLE g TO e",
		"SET autocommit=0", "SET autocommit=1", "SET completion_type=1", "SET completion_type=0", "BEGIN NOT ATOMIC SELECT 1; END", "SELECT 1; BEGIN", "SELECT 1; COMMIT",
	}
	check := func(t *testing.T, d sqltext.Dialect, run stateOf) {
		t.Helper()
		known := 0
		for _, before := range []string{"COMMIT", "BEGIN"} {
			for _, text := range texts {
				_, _ = run("SET autocommit=1")
				_, _ = run("SET completion_type=0")
				_, _ = run("ROLLBACK")
				_, _ = run("ROLLBACK PREPARED 'x'")
				was, err := run(before)
				if err != nil && before == "BEGIN" {
					t.Fatal(before, err)
				}
				is, err := run(text)
				effect := sqltext.TxEffectOf(d, text)
				if err == nil && effect != sqltext.TxUnknown && effect != sqltext.TxMayBegin {
					known++
				}
				switch {
				case effect == sqltext.TxNeutral && is && !was:
					t.Errorf("%q after %s is said to be neutral and leaves a transaction open: %v", text, before, err)
				case effect == sqltext.TxBegins && err == nil && !is:
					t.Errorf("%q after %s is said to begin a transaction, and none is open", text, before)
				case effect == sqltext.TxEnds && err == nil && is:
					t.Errorf("%q after %s is said to end the transaction, and one is open", text, before)
				}
			}
		}
		if known < 30 {
			t.Errorf("only %d statements were understood by the server and have a known effect", known)
		}
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		conn := must(pgx.Connect(t.Context(), dbtest.Postgres(t).Database(t).DSN()))
		defer conn.Close(context.Background())
		run := func(text string) (bool, error) {
			_, err := conn.Exec(context.Background(), text, pgx.QueryExecModeSimpleProtocol)
			return conn.PgConn().TxStatus() != 'I', err
		}
		must(run("CREATE TABLE e (n INT)"))
		must(run("CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO e VALUES (9); COMMIT; INSERT INTO e VALUES (10); END $$"))
		check(t, sqltext.PostgreSQL, run)
	})
	t.Run("MariaDB", func(t *testing.T) {
		t.Parallel()
		db := must(sql.Open("mysql", dbtest.MariaDB(t).Database(t).DSN("multiStatements=true")))
		defer db.Close()
		conn := must(db.Conn(t.Context()))
		defer conn.Close()
		run := func(text string) (bool, error) {
			_, err := conn.ExecContext(context.Background(), text)
			var auto, in int
			if qerr := conn.QueryRowContext(context.Background(), "SELECT @@autocommit, @@in_transaction").Scan(&auto, &in); qerr != nil {
				panic(fmt.Sprint(text, qerr))
			}
			return auto == 0 || in == 1, err
		}
		must(run("CREATE TABLE e (n INT PRIMARY KEY)"))
		check(t, sqltext.MySQL, run)
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		db := must(sql.Open("sqlite", ":memory:"))
		defer db.Close()
		conn := must(db.Conn(t.Context()))
		defer conn.Close()
		run := func(text string) (bool, error) {
			_, err := conn.ExecContext(context.Background(), text)
			if _, berr := conn.ExecContext(context.Background(), "BEGIN"); berr != nil {
				return true, err
			}
			_, rerr := conn.ExecContext(context.Background(), "ROLLBACK")
			return false, errors.Join(err, rerr)
		}
		must(run("CREATE TABLE e (n INTEGER PRIMARY KEY)"))
		check(t, sqltext.SQLite, run)
	})
}
