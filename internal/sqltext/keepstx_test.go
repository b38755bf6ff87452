package sqltext_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestATextIsKnownToKeepTheTransaction(t *testing.T) {
	t.Parallel()
	all := []sqltext.Dialect{sqltext.Generic, sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite}
	for _, c := range []struct {
		text string
		on   []sqltext.Dialect // where it is known to
	}{
		{"", all},
		{"SELECT 1", all},
		{"select n from t where s = 'COMMIT; COMMIT'", all},
		{"UPDATE t SET n = 1", all},
		{"/* COMMIT */ DELETE FROM t", all},
		{"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", all},
		{"SAVEPOINT a", all},
		{"ROLLBACK TO a", all},
		{"ROLLBACK WORK TO SAVEPOINT a", all},
		{"RELEASE SAVEPOINT a", all},
		{"RELEASE SAVEPOINT cockroach_restart", nil},
		{"COMMIT", nil},
		{"commit and chain", nil},
		{"-- why\n commit", nil},
		{"ROLLBACK", nil},
		{"ROLLBACK WORK", nil},
		{"ROLLBACK AND CHAIN", nil},
		{"SELECT 1; COMMIT", nil},
		{"UPDATE t SET n = 1; COMMIT; BEGIN", nil},
		{"INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", all},
		{"/*!50003 COMMIT */", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"END", []sqltext.Dialect{}},
		{"ABORT", []sqltext.Dialect{sqltext.SQLite}}, // which has no such statement
		{"PREPARE TRANSACTION 'x'", []sqltext.Dialect{sqltext.SQLite}},
		{"PREPARE x AS SELECT 1", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"CREATE TABLE t (n int)", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"CREATE TEMPORARY TABLE t (n int)", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite}},
		{"TRUNCATE t", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"CALL p()", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"DO $$ BEGIN COMMIT; END $$", []sqltext.Dialect{sqltext.PostgreSQL}},
		{"SET autocommit = 1", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"SET @@session.autocommit = 1", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"SET SESSION `autocommit` = 1", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"SET STATEMENT max_statement_time=1 FOR CREATE TABLE t (n int)", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"SET PASSWORD = 'x'", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"SET @a = 1", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite}},
		{"SET search_path TO a", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"LOCK TABLES t WRITE", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"(SELECT 1) UNION (SELECT 2)", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite}},
		{"UPDATE t SET n = 1 COMMIT", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite}}, // two statements on SQL Server
		{"selectx", []sqltext.Dialect{sqltext.SQLite}},                                                      // on PostgreSQL pgx takes it for the name of a prepared statement
		{`"p"`, []sqltext.Dialect{sqltext.SQLite}},
		{"BEGIN", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}}, // refused in a transaction, or a warning
		{"START TRANSACTION", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"PREPARE p FROM 'COMMIT'", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}},
		{"EXECUTE p", []sqltext.Dialect{sqltext.SQLite}},
		{"EXECUTE IMMEDIATE 'COMMIT'", []sqltext.Dialect{sqltext.SQLite}},
		{"UPSERT INTO t VALUES (1)", []sqltext.Dialect{sqltext.PostgreSQL, sqltext.SQLite}}, // CockroachDB's
	} {
		for _, d := range all {
			want := false
			for _, on := range c.on {
				want = want || on == d
			}
			if got := sqltext.KeepsTx(d, c.text); got != want {
				t.Errorf("KeepsTx(%v, %q) = %t, want %t", d, c.text, got, want)
			}
			if sqltext.EndsTx(d, c.text) && want {
				t.Errorf("EndsTx(%v, %q), though KeepsTx", d, c.text)
			}
		}
	}
}

func TestCockroachDBCommitsBeforeDDL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT 1": true, "UPSERT INTO t VALUES (1)": true, "(SELECT 1) UNION (SELECT 2)": true, "": true,
		"SET LOCAL timezone = 'UTC'": true, "SHOW TABLES": true, "ROLLBACK TO SAVEPOINT a": true, "SAVEPOINT a": true,
		"UPDATE t SET n = 1; SELECT 1": true, "EXPLAIN CREATE TABLE t (n int)": true,
		"CREATE TABLE t (n int)": false, "-- why\nalter table t add c int": false, "DROP INDEX i": false, "TRUNCATE t": false,
		"GRANT SELECT ON t TO u": false, "UPDATE t SET n = 1; CREATE TABLE u (n int); SELECT 1": false, "CALL p()": false,
		"SHOW COMMIT TIMESTAMP": false, "COMMIT": false, "RELEASE SAVEPOINT cockroach_restart": false,
	} {
		if got := sqltext.KeepsTxCockroachDB(text); got != want {
			t.Errorf("%q: %t, want %t", text, got, want)
		}
	}
}

func TestATextIsCertainToEndTheTransaction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"COMMIT": true, "/* x */ commit work": true, "ROLLBACK": true, "ROLLBACK AND CHAIN": true, "END": true,
		"SELECT 1; COMMIT": true, "PREPARE TRANSACTION 'x'": true,
		"ROLLBACK TO a": false, "ROLLBACK TRANSACTION TO SAVEPOINT a": false, "SELECT 'COMMIT'": false, "CALL p()": false, "": false,
	} {
		if got := sqltext.EndsTx(sqltext.PostgreSQL, text); got != want {
			t.Errorf("EndsTx(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestKeepsTxCostsNoMemory(t *testing.T) {
	for _, text := range []string{"SELECT 1", "update t set n = n + 1 where id = 5"} {
		if n := alloctest.PerRun(100, func() { sqltext.KeepsTx(sqltext.MySQL, text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}
