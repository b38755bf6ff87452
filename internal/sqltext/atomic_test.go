package sqltext_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// atomics are statements with the dialects in which they are known to be atomic:
// P, M, S, and G for one that is not known.
var atomics = map[string]string{
	"SELECT 1": "PMSG",
	"select a, b from t where c = ? for update;":                            "PMSG",
	"  /* a comment; with a semicolon */ SELECT ';' -- and; one more\n ; ;": "PMSG",
	"SELECT REPLACE(a, 'b', 'c') FROM t":                                    "PMSG",
	"(SELECT 1) UNION (SELECT 2)":                                           "PMSG",
	"((SELECT 1))":                                                          "PMSG",
	"VALUES (1), (2)":                                                       "PMSG",
	"TABLE t":                                                               "PMSG",
	"SHOW TABLES":                                                           "PMSG",
	"DESCRIBE t":                                                            "PMSG",
	"DESC t":                                                                "PMSG",
	"EXPLAIN SELECT 1":                                                      "PMSG",
	"EXPLAIN UPDATE t SET a = 1":                                            "PMS",
	"EXPLAIN QUERY PLAN SELECT 1":                                           "PMSG",
	"EXPLAIN (COSTS off, FORMAT json) SELECT 1":                             "PMS",
	"INSERT INTO t VALUES (1), (2)":                                         "PMSG",
	"INSERT INTO t (a) VALUES ('select')":                                   "PMSG",
	"INSERT INTO t (a) VALUES (?) ON DUPLICATE KEY UPDATE a = 1":                    "PMSG",
	"INSERT INTO t (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = 1 RETURNING a": "PMSG",
	"INSERT IGNORE INTO t SET a = 1":                                                "PMSG",
	"INSERT OR IGNORE INTO t VALUES (1)":                                            "PMSG",
	"REPLACE INTO t VALUES (1)":                                                     "PMSG",
	"UPDATE t SET a = 1, b = 2 WHERE c IN (3, 4) ORDER BY d, e LIMIT 1":             "PMSG",
	"UPDATE LOW_PRIORITY IGNORE `s`.`t` AS x SET x.a = 1":                           "PMSG",
	"UPDATE t PARTITION (p0, p1) SET a = 1":                                         "PMSG",
	"DELETE FROM t":                                                                 "PMSG",
	"DELETE FROM s.t AS x WHERE x.a = 1 ORDER BY a, b LIMIT 1":                      "PMSG",
	"DELETE QUICK FROM t WHERE a = CONVERT(b USING utf8) RETURNING a, b":            "PMSG",
	"WITH x AS (SELECT 1) SELECT * FROM x":                                          "PMSG",
	"WITH RECURSIVE x (a, b) AS (SELECT 1, 2), y AS (SELECT 3) SELECT * FROM x, y":  "PMSG",

	// More than one table, where a table may be without transactions.
	"INSERT INTO t SELECT * FROM u":                                       "PS",
	"INSERT INTO t TABLE u":                                               "PS",
	"INSERT INTO t VALUES (1), ((SELECT a FROM u))":                       "PS",
	"INSERT INTO t SET a = (select max(b) from u)":                        "PS",
	"REPLACE INTO t SELECT * FROM u":                                      "PS",
	"UPDATE t SET a = (SELECT 1)":                                         "PS",
	"UPDATE t, u SET t.a = u.a":                                           "PS",
	"UPDATE t JOIN u ON t.a = u.a SET t.b = 1":                            "PS",
	"UPDATE t STRAIGHT_JOIN u SET t.b = 1":                                "PS",
	"UPDATE (t, u) SET t.a = u.a":                                         "PS",
	"UPDATE LOW_PRIORITY (t, (u)) SET t.a = u.a":                          "PS",
	"UPDATE t USE INDEX (i) IGNORE KEY (j) SET a = 1":                     "PMS",
	"UPDATE t SET a = u.a FROM u WHERE t.b = u.b":                         "PMS", // no statement of MySQL
	"DELETE t FROM t JOIN u":                                              "PS",
	"DELETE t, u FROM t JOIN u":                                           "PS",
	"DELETE FROM t, u USING t JOIN u":                                     "PS",
	"DELETE FROM t USING u WHERE t.a = u.a":                               "PS",
	"DELETE FROM t WHERE a IN (SELECT a FROM u)":                          "PS",
	"DELETE HISTORY FROM t":                                               "PS", // of MariaDB
	"INSERT DELAYED INTO t VALUES (1)":                                    "PS", // of MySQL
	"WITH x AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM x)":     "PS",
	"WITH x AS (SELECT 1) UPDATE t SET a = 1":                             "PS",
	"WITH d AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT * FROM d": "PS",
	"WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d":               "PMS", // no statement of MySQL
	"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE":          "PS",

	// Effects that nothing undoes.
	"SELECT * FROM t INTO OUTFILE '/tmp/x'":         "S",
	"SELECT a FROM t WHERE b = 1 INTO DUMPFILE 'x'": "S",
	"SELECT 1 INTO @a":                              "S",
	"SELECT a INTO new FROM t":                      "S", // creates a table
	"TABLE t INTO OUTFILE '/tmp/x'":                 "S",
	"SELECT @a := @a + 1":                           "PS",
	"SELECT f(a := 1)":                              "PS",
	"UPDATE t SET a = (@n := @n + 1)":               "PS",
	"EXPLAIN FORMAT = JSON INTO @x SELECT 1":        "PS",

	// Parts that stay.
	"INSERT OR FAIL INTO t VALUES (1), (2)":               "PM",
	"UPDATE OR FAIL t SET a = 1":                          "PM",
	"WITH x AS (SELECT 1) INSERT OR FAIL INTO t SELECT 1": "",

	// A statement may be several, or run more than it says.
	"EXPLAIN ANALYZE DELETE FROM t":                  "",
	"EXPLAIN (ANALYZE, VERBOSE) DELETE FROM t":       "",
	"EXPLAIN (VERBOSE, ANALYSE false) DELETE FROM t": "",
	"EXPLAIN (\"analyze\") DELETE FROM t":            "",
	"EXPLAIN VERBOSE ANALYSE DELETE FROM t":          "",
	"DESCRIBE ANALYZE SELECT 1":                      "",
	"DESC ANALYZE SELECT 1":                          "",
	"ANALYZE SELECT 1":                               "",
	"ANALYZE FORMAT=JSON DELETE FROM t":              "",
	"SELECT 1; SELECT 2":                             "",
	"SELECT 1;;DELETE FROM t":                        "",
	"; SELECT 1":                                     "",
	"DELETE FROM t; -- done\nDELETE FROM u":          "",
	"SELECT $$;$$, 1":                                "P",
	"SELECT E'a\\';b'":                               "P",
	"":                                               "",
	"  ; ":                                           "",
	"-- nothing":                                     "",
	"DELIMITER //":                                   "",
	"DELIMITER // SELECT 1 //":                       "",

	// Whatever is not on the list.
	"CALL p()": "", "DO $$ begin commit; end $$": "", "DO SLEEP(1)": "", "EXECUTE s": "", "EXECUTE IMMEDIATE 'DELETE FROM t'": "",
	"PREPARE s FROM 'DELETE FROM t'": "", "PREPARE s AS DELETE FROM t": "", "EXEC p": "", "BEGIN": "", "COMMIT": "", "BEGIN NOT ATOMIC SELECT 1; END": "",
	"SET STATEMENT max_statement_time = 1 FOR DELETE FROM t": "", "SET a = 1": "", "USE db": "", "LOCK TABLES t WRITE": "",
	"LOAD DATA LOCAL INFILE 'Reader::x' INTO TABLE t": "", "LOAD DATA INFILE 'x' INTO TABLE t": "", "COPY t FROM '/x'": "", "HANDLER t OPEN": "",
	"CREATE TABLE t AS SELECT 1": "", "CREATE TABLE t (a int)": "", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)": "", "DROP TABLE t, u": "",
	"REINDEX TABLE CONCURRENTLY t": "", "ALTER TABLE t DETACH PARTITION p CONCURRENTLY": "", "ALTER TABLE t ADD a int": "", "TRUNCATE t, u": "",
	"REFRESH MATERIALIZED VIEW CONCURRENTLY v": "", "VACUUM": "", "PRAGMA user_version = 1": "", "ATTACH 'x' AS y": "", "XA COMMIT 'x'": "", "UPSERT INTO t VALUES (1)": "",
	"IMPORT INTO t CSV DATA ('x')": "", "FETCH 1 FROM c": "", "LISTEN x": "", "REPAIR TABLE t": "", "(DELETE FROM t)": "", "(CALL p())": "", "frobnicate": "", "'select'": "", "1": "",

	// Comments that are executed, or not, by the server's version.
	"/*!50000 SELECT */ 1":                     "",
	"/*!99999 SELECT */ CALL p()":              "",
	"SELECT /*!40001 SQL_NO_CACHE */ * FROM t": "PS",
	"SELECT 1 /*M!100100 ; DELETE FROM t */":   "PS",
	"INSERT INTO t VALUES (1) /*! SELECT 1 */": "PS",
	"SELECT /*+ MAX_EXECUTION_TIME(1) */ 1":    "PMSG",
	"/* traceparent='00-ab-cd-01' */ SELECT 1": "PMSG",
	"SELECT 1 # ; DELETE FROM t":               "M",

	// Literals that end elsewhere by a setting of the server.
	`SELECT '\'; DELETE FROM t; -- '`:               "",
	`INSERT INTO t VALUES ('\'), ((SELECT 1), ('')`: "S",
	`INSERT INTO t VALUES ('a\'') ;`:                "",
	`INSERT INTO t VALUES ('it''s', 'C:\dir')`:      "PMS",

	// Two statements without a semicolon, where a dialect allows that.
	"SELECT 1 DELETE FROM t":                      "PMS",
	"INSERT INTO t VALUES (1) UPDATE u SET a = 1": "PMS",
	"INSERT INTO t VALUES (1) EXEC p":             "PMS",
	"SELECT 1 WAITFOR DELAY '00:00:01'":           "PMS",
}

func TestAtomic(t *testing.T) {
	t.Parallel()
	dialects := map[string]sqltext.Dialect{"P": sqltext.PostgreSQL, "M": sqltext.MySQL, "S": sqltext.SQLite, "G": sqltext.Generic}
	for text, in := range atomics {
		for letter, d := range dialects {
			want := strings.Contains(in, letter)
			for _, form := range []string{text, strings.ToLower(text), strings.ToUpper(text)} {
				if strings.ContainsAny(text, "!$") && form != text {
					continue // M and quotes in dollars are what they are by their case
				}
				if got := sqltext.Atomic(d, form); got != want {
					t.Errorf("%s: Atomic(%q) = %t", letter, form, got)
				}
			}
		}
	}
}

// TestAtomicIsAListOfWhatIs holds for texts of all kinds, put together from
// those above: two of them are never atomic, and neither white space nor
// comments make a difference.
func TestAtomicIsAListOfWhatIs(t *testing.T) {
	t.Parallel()
	var texts []string
	for text := range atomics {
		if !strings.ContainsAny(text, "#\\") && !strings.Contains(text, "--") {
			texts = append(texts, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]sqltext.Dialect{sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite, sqltext.Generic}).Draw(t, "dialect")
		a, b := rapid.SampledFrom(texts).Draw(t, "a"), rapid.SampledFrom(texts).Draw(t, "b")
		if strings.Trim(b, " ;") != "" && sqltext.Atomic(d, a+";"+b) {
			t.Fatalf("%v: two statements: %q; %q", d, a, b)
		}
		noisy := "/* x */ " + strings.ReplaceAll(a, " ", " /* ; y */\n\t") + " /* z */"
		if strings.Contains(a, "/*") || strings.ContainsAny(a, "'\"$") {
			noisy = "\n/* x; */\t" + a
		}
		if sqltext.Atomic(d, a) != sqltext.Atomic(d, noisy) {
			t.Fatalf("%v: a comment makes a difference: %q", d, noisy)
		}
	})
}

func TestAtomicBatch(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"INSERT INTO t VALUES (1)":                                     true,
		"INSERT INTO t VALUES (1); INSERT INTO u SELECT 1; SELECT ';'": true,
		"INSERT INTO t VALUES (1); COMMIT; SELECT 1":                   false,
		"SELECT 1; CALL p()":                                           false,
		"SELECT 1 -- one; CALL p()":                                    false,
		"SELECT 1 -- one\n; SELECT 2":                                  true,
		"SELECT 1; ":                                                   false,
		"":                                                             false,
	} {
		if got := sqltext.AtomicBatch(text); got != want {
			t.Errorf("AtomicBatch(%q) = %t", text, got)
		}
	}
}
