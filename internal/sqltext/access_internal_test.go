package sqltext

import (
	"strings"
	"testing"
)

var dialects = []Dialect{Generic, PostgreSQL, MySQL, SQLite}

func TestWhatReads(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"SELECT 1", "select a from t where b = 'DELETE FROM t'", " /* INSERT */ SELECT a FROM t -- UPDATE",
		"SELECT replace(a, 'x', 'y'), INSERT (a, 1, 2, 'z') FROM t", `SELECT "update", t.delete, s.share FROM t`,
		"WITH x AS (SELECT 1) SELECT * FROM x", "VALUES (1)", "TABLE t", "(SELECT 1) UNION (SELECT 2)",
		"SHOW TABLES", "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "DESCRIBE t", "desc t",
		"DECLARE c CURSOR FOR SELECT 1", "FETCH FORWARD 10 FROM c", "CLOSE c", "DEALLOCATE p",
		"BEGIN", "begin transaction isolation level serializable", "BEGIN IMMEDIATE", "START TRANSACTION READ ONLY",
		"COMMIT", "COMMIT AND CHAIN", "END", "ROLLBACK TO SAVEPOINT a", "SAVEPOINT a", "RELEASE a",
		"SELECT create FROM t", "SELECT count(*) FROM t",
	} {
		for _, d := range dialects {
			if r := analyse(d, text); !r.ReadOnly || !r.Single {
				t.Errorf("%v: %s: %+v", d, text, r)
			}
		}
	}
	for _, text := range []string{"SELECT 1; SELECT 2", "; SELECT 1;; SELECT 2;"} {
		if r := analyse(PostgreSQL, text); !r.ReadOnly || r.Single {
			t.Errorf("%s: %+v", text, r)
		}
	}
	if r := analyse(PostgreSQL, "SELECT 1;"); !r.Single {
		t.Error("one statement with a semicolon is one")
	}
}

func TestWhatDoesNotRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", "-- SELECT 1", ";", "nonsense", "(", "42",
		"INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "DELETE FROM t", "REPLACE INTO t VALUES (1)", "MERGE INTO t USING u",
		"UPDATE (t) SET a = 1", "TRUNCATE t", "DROP TABLE t", "CREATE TABLE t (a int)", "ALTER TABLE t ADD b int", "GRANT ALL ON t TO u",
		"SELECT 1; DELETE FROM t", "DELETE FROM t; SELECT 1", "SELECT 1; nonsense",
		"SELECT a FROM t FOR UPDATE", "SELECT a FROM t FOR NO KEY UPDATE", "SELECT a FROM t FOR SHARE", "SELECT a FROM t FOR KEY SHARE",
		"SELECT a FROM t LOCK IN SHARE MODE", "SELECT a INTO b FROM t", "SELECT a FROM t INTO OUTFILE 'f'", "TABLE t INTO OUTFILE 'f'",
		"WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x", "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
		"EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "EXPLAIN ANALYZE EXECUTE p", "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW v",
		"SELECT nextval('s')", "SELECT pg_catalog.nextval('s')", `SELECT "nextval"('s')`, "SELECT nextval /* c */ ('s')", "SELECT NEXT VALUE FOR s",
		"SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_xact_lock(1)", "SELECT get_lock('a', 1)", "SELECT lo_unlink(1)", "SELECT load_extension('x')",
		"CALL p()", "EXECUTE p", "DO $$ BEGIN END $$", "BEGIN NOT ATOMIC CALL p(); END", "START REPLICA", "COMMIT PREPARED 'x'", "PREPARE TRANSACTION 'x'",
		"SET GLOBAL a = 1", "PRAGMA journal_mode = WAL", "VACUUM", "COPY t FROM STDIN", "LOCK TABLE t", "KILL 7", "ANALYZE t", "DECLARE x INT",
	} {
		for _, d := range dialects {
			if r := analyse(d, text); r.ReadOnly {
				t.Errorf("%v: %s is taken for reading", d, text)
			}
		}
	}
	// What a dialect hides or shows.
	if analyse(MySQL, "SELECT 1 /*! INTO OUTFILE 'f' */").ReadOnly {
		t.Error("an executable comment is executed")
	}
	if analyse(Generic, `SELECT '\'; DELETE FROM t; --'`).ReadOnly {
		t.Error("the end of the string depends on the dialect")
	}
}

// FuzzReading holds that no text makes a change look like reading.
func FuzzReading(f *testing.F) {
	for _, text := range []string{"SELECT 1", "a, ( '", "/*", "$x$", "x;", "'\\'", "-- ", "\"", "("} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range dialects {
			r := analyse(d, text)
			if r.ReadOnly && strings.TrimSpace(text) == "" {
				t.Errorf("%q reads", text)
			}
			for _, change := range []string{"DELETE FROM t WHERE a = (" + text + ")", "DROP TABLE t; " + text, "WITH x AS (UPDATE t SET a = 1) " + text} {
				if analyse(d, change).ReadOnly {
					t.Errorf("%v: %q is taken for reading", d, change)
				}
			}
		}
	})
}
