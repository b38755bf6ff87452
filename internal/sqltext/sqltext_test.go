package sqltext_test

import (
	"slices"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d          sqltext.Dialect
		text, want string
	}{
		// The examples of the semantic conventions.
		{sqltext.Generic, "SELECT * FROM wuser_table WHERE username = ?", "SELECT wuser_table"},
		{sqltext.Generic, "INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders WHERE order_id = ?", "INSERT shipping_details SELECT orders"},
		{sqltext.Generic, "SELECT * FROM songs, artists WHERE songs.artist_id == artists.id", "SELECT songs artists"},
		{sqltext.Generic, "SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = c.customer_id)", "SELECT SELECT orders customers"},
		{sqltext.Generic, `SELECT * FROM "song list", 'artists'`, `SELECT "song list" 'artists'`},
		// Statements of one target.
		{sqltext.PostgreSQL, "update public.users set a = 1", "update public.users"},
		{sqltext.PostgreSQL, "UPDATE ONLY users u SET a = b.a FROM basket b, colours WHERE true", "UPDATE users basket colours"},
		{sqltext.PostgreSQL, "DELETE FROM a USING b, c WHERE a.id = b.id", "DELETE a b c"},
		{sqltext.PostgreSQL, "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1 RETURNING id", "INSERT t"},
		{sqltext.MySQL, "INSERT LOW_PRIORITY INTO `a b` VALUES (1) ON DUPLICATE KEY UPDATE x = 1", "INSERT `a b`"},
		{sqltext.SQLite, "INSERT OR REPLACE INTO [t] VALUES (1)", "INSERT [t]"},
		{sqltext.MySQL, "REPLACE INTO t SELECT REPLACE(a, 'x', 'y') FROM u", "REPLACE t SELECT u"},
		{sqltext.PostgreSQL, "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)", "MERGE t s"},
		{sqltext.PostgreSQL, "TRUNCATE TABLE ONLY logs", "TRUNCATE logs"},
		{sqltext.PostgreSQL, "TRUNCATE a, ONLY b, c.d RESTART IDENTITY", "TRUNCATE a b c.d"},
		{sqltext.PostgreSQL, "SELECT * FROM ONLY (t), u", "SELECT t u"},
		{sqltext.PostgreSQL, "TABLE users", "TABLE users"},
		{sqltext.PostgreSQL, "SELECT 1 UNION TABLE users", "SELECT TABLE users"},
		{sqltext.PostgreSQL, "SELECT * FROM \"caf\xe9\"", "SELECT \"caf\uFFFD\""},
		{sqltext.PostgreSQL, "CALL do_it(1)", "CALL do_it"},
		{sqltext.PostgreSQL, "COPY t (a) FROM '/tmp/s3cret.csv'", "COPY t"},
		{sqltext.PostgreSQL, "COPY (SELECT * FROM t) TO STDOUT", "COPY SELECT t"},
		{sqltext.SQLite, "PRAGMA journal_mode = wal", "PRAGMA journal_mode"},
		// Definitions.
		{sqltext.PostgreSQL, "CREATE TABLE IF NOT EXISTS s.t (id int DEFAULT 1)", "CREATE TABLE s.t"},
		{sqltext.PostgreSQL, "CREATE UNIQUE INDEX CONCURRENTLY i ON t USING btree (a)", "CREATE INDEX i"},
		{sqltext.PostgreSQL, "create or replace view v as select * from t", "create view v select t"},
		{sqltext.PostgreSQL, "DROP TABLE a", "DROP TABLE a"},
		{sqltext.PostgreSQL, "ALTER TABLE a ADD COLUMN b int", "ALTER TABLE a"},
		// Queries.
		{sqltext.PostgreSQL, "SELECT 1", "SELECT"},
		{sqltext.PostgreSQL, "SELECT EXTRACT(year FROM ts), SUBSTRING(a FROM 2) FROM t", "SELECT t"},
		{sqltext.PostgreSQL, "SELECT a IS DISTINCT FROM 's3cret' FROM t", "SELECT t"},
		{sqltext.PostgreSQL, "SELECT DISTINCT ON (a) b FROM t FOR UPDATE OF t SKIP LOCKED", "SELECT t"},
		{sqltext.PostgreSQL, "SELECT * FROM generate_series(1, 3) g LEFT JOIN LATERAL (SELECT 1) x ON true", "SELECT generate_series SELECT"},
		{sqltext.PostgreSQL, "WITH RECURSIVE x (n) AS (SELECT * FROM base UNION ALL SELECT n FROM x), y AS MATERIALIZED (SELECT 2) SELECT * FROM x, y, z", "SELECT base SELECT SELECT SELECT z"},
		{sqltext.PostgreSQL, "WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "DELETE a INSERT b SELECT"},
		{sqltext.PostgreSQL, "SELECT a FROM t UNION SELECT b FROM u", "SELECT t SELECT u"},
		{sqltext.PostgreSQL, "(SELECT a FROM t) EXCEPT (SELECT b FROM u)", "SELECT t SELECT u"},
		{sqltext.PostgreSQL, "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE a IN (1, 2))", "SELECT t SELECT u"},
		{sqltext.PostgreSQL, "EXPLAIN ANALYZE SELECT * FROM t", "EXPLAIN SELECT t"},
		{sqltext.PostgreSQL, `SELECT "from" FROM "my table" AS x`, `SELECT "my table"`},
		{sqltext.PostgreSQL, "/* hi */ -- there\n select * from t; delete from u", "select t delete u"},
		{sqltext.PostgreSQL, "SELECT * FROM a.b.c JOIN d.e USING (id)", "SELECT a.b.c d.e"},
		// Transactions and the rest.
		{sqltext.PostgreSQL, "BEGIN", "BEGIN"},
		{sqltext.PostgreSQL, "ROLLBACK TO SAVEPOINT s", "ROLLBACK"},
		{sqltext.PostgreSQL, "SET search_path = 'x'", "SET"},
		{sqltext.PostgreSQL, "", ""},
		{sqltext.PostgreSQL, "hello world", ""},
		{sqltext.Generic, `SELECT * FROM t WHERE a = 'x\'y' AND secret FROM u`, "SELECT t"},
	}
	for _, test := range tests {
		if got := sqltext.Summary(test.d, test.text); got != test.want {
			t.Errorf("Summary(%q)\n got %q\nwant %q", test.text, got, test.want)
		}
	}
}

func TestSanitize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		d          sqltext.Dialect
		text, want string
	}{
		{sqltext.PostgreSQL, "SELECT a FROM t WHERE b = $1", "SELECT a FROM t WHERE b = $1"},
		{sqltext.PostgreSQL, "SELECT 'it''s', 1.5e-3, -7, 0xFF, 1_000, .5 FROM t", "SELECT ?, ?, -?, ?, ?, ? FROM t"},
		{sqltext.PostgreSQL, "  SELECT\n\ta  FROM t -- the end\n", "SELECT a FROM t"},
		{sqltext.PostgreSQL, "SELECT a/* 'x /* y */ z */b", "SELECT a b"},
		{sqltext.PostgreSQL, `SELECT E'a\'b', B'01', x'ff', U&'\0061', N'x'`, "SELECT ?, ?, ?, ?, ?"},
		// A backslash escapes, or not, by the server's mode.
		{sqltext.PostgreSQL, `SELECT 'a\', b`, `SELECT ?`},
		{sqltext.PostgreSQL, `SELECT 'a\d', b LIKE '%\_' FROM t`, `SELECT ?, b LIKE ? FROM t`},
		{sqltext.MySQL, `SELECT 'a\'', 'secret'`, `SELECT ?`},
		{sqltext.MySQL, `SELECT "a\"", "secret"`, `SELECT ?`},
		{sqltext.MySQL, `SELECT 'a\\', b`, `SELECT ?, b`},
		{sqltext.MySQL, "SELECT 'é\\\\', 'secret'", "SELECT ?"},
		{sqltext.PostgreSQL, "SELECT E'a'\n'b\\' secret '", "SELECT ?"},
		{sqltext.PostgreSQL, "SELECT E'\xbf\\''secret'", "SELECT ?"}, // one character and the end, in GBK
		{sqltext.PostgreSQL, "SELECT 'a\xbf\\', b", "SELECT ?"},
		{sqltext.MySQL, "SELECT [E']'secret', b", "SELECT ?"}, // a name under sql_mode MSSQL
		{sqltext.PostgreSQL, "SELECT 'a' -- it's\n 'b', c", "SELECT ?, c"},
		{sqltext.PostgreSQL, "SELECT a -- it's\rFROM t WHERE b = 'secret'", "SELECT a FROM t WHERE b = ?"},
		{sqltext.PostgreSQL, "SELECT 1$$it's$$, 1e--it's\n'secret'", "SELECT ??, ? ?"},
		// Comments that some versions of a server skip.
		{sqltext.MySQL, "SELECT 2*/* it's */'secret'", "SELECT ?* ?"},
		{sqltext.MySQL, "SELECT 1 /*!999999 it's */ 'secret'", "SELECT ? it?"},
		{sqltext.MySQL, "SELECT 1 /*! /* */ it's */ 'secret'", "SELECT ? ?"},
		{sqltext.MySQL, "SELECT /*!999999 \"/*\" */ a /*'*/ it's */ 'secret'", "SELECT ?"},
		{sqltext.MySQL, "SELECT /*+ QB_NAME(`*/`) */ 'secret'", "SELECT ?"},
		// What some driver's server may read otherwise.
		{sqltext.Generic, "SELECT [it's], 'secret'", "SELECT ?"},
		{sqltext.Generic, "SELECT a[1:2], `b c` FROM t", "SELECT a[?:?], `b c` FROM t"},
		{sqltext.Generic, "SELECT q'[it's]', 'secret'", "SELECT ?"},
		{sqltext.Generic, "SELECT $$'$$, 'secret'", "SELECT ?"},
		{sqltext.Generic, "SELECT \"\"\"it's\"\"\", 'secret'", "SELECT ?"},
		{sqltext.SQLite, "SELECT $a(it's), :b::c(it's) + 'secret'", "SELECT ?, ? + ?"},
		{sqltext.SQLite, "SELECT 'a\x00', b\x00 'secret'", "SELECT ?, b ?"},
		{sqltext.SQLite, "SELECT \ufeff4711", "SELECT ?"}, // white space to SQLite
		{sqltext.SQLite, "SELECT a\ufeff FROM t WHERE b = $1$2", "SELECT a\ufeff FROM t WHERE b = $1$2"},
		{sqltext.Generic, "SELECT @4711, a ?4711, $4711.50", "SELECT @?, a ??, ??"},
		// In these places SQLite takes "" for nothing but a name.
		{
			sqltext.SQLite, `SELECT "genre".* FROM "genres" AS "genre", "other" "o" JOIN "x" ON "x"."a" = "o"."b" WHERE ("genre"."id" = "secret")`,
			`SELECT "genre".* FROM "genres" AS "genre", "other" "o" JOIN "x" ON "x"."a" = "o"."b" WHERE ("genre"."id" = ?)`,
		},
		{sqltext.SQLite, `INSERT INTO "t" ("a", "b") VALUES ("secret", "secret") RETURNING "a"`, `INSERT INTO "t" ("a", "b") VALUES (?, ?) RETURNING ?`},
		{
			sqltext.SQLite, `UPDATE "t" SET "a" = "secret", "b" = max("secret", "secret"), "c" = 1 WHERE "d" = 2`,
			`UPDATE "t" SET "a" = ?, "b" = max(?, ?), "c" = ? WHERE ? = ?`,
		},
		{
			sqltext.SQLite, `CREATE TABLE "t" ("a" TEXT DEFAULT "secret", "b" INTEGER, PRIMARY KEY ("a", "b"), CHECK ("a" > "secret"))`,
			`CREATE TABLE "t" ("a" TEXT DEFAULT ?, "b" INTEGER, PRIMARY KEY ("a", "b"), CHECK (? > ?))`,
		},
		{
			sqltext.SQLite, "CREATE TABLE t (a DEFAULT secret, b DEFAULT [secret], c DEFAULT `secret` UNIQUE, d DEFAULT NULL, e DEFAULT CURRENT_TIMESTAMP)",
			`CREATE TABLE t (a DEFAULT ?, b DEFAULT ?, c DEFAULT ? UNIQUE, d DEFAULT NULL, e DEFAULT CURRENT_TIMESTAMP)`,
		},
		{sqltext.SQLite, `INSERT INTO t DEFAULT VALUES RETURNING a`, `INSERT INTO t DEFAULT VALUES RETURNING a`},
		{sqltext.SQLite, `PRAGMA key("secret")`, `PRAGMA key(?)`},
		{sqltext.SQLite, `SELECT CASE view WHEN "secret" THEN "secret" END FROM t WHERE trigger LIKE "secret"`, `SELECT CASE view WHEN ? THEN ? END FROM t WHERE trigger LIKE ?`},
		{sqltext.SQLite, `CREATE VIEW "v" AS SELECT "secret"`, `CREATE VIEW "v" AS SELECT ?`},
		{sqltext.SQLite, `CREATE TABLE "t" AS WITH "w" AS (SELECT "secret") SELECT "secret"`, `CREATE TABLE "t" AS WITH "w" AS (SELECT ?) SELECT ?`},
		{
			sqltext.SQLite, `SELECT a IS NOT DISTINCT FROM "secret" FROM f("secret") WHERE a LIKE "secret"`,
			`SELECT a IS NOT DISTINCT FROM ? FROM f(?) WHERE a LIKE ?`,
		},
		{sqltext.PostgreSQL, "SELECT \"caf\xe9\" FROM t", "SELECT \"caf\uFFFD\" FROM t"},
		{sqltext.PostgreSQL, "SELECT $$it's$$, $q$a $$ b$q$, $1", "SELECT ?, ?, $1"},
		{sqltext.PostgreSQL, `SELECT "my col" FROM "t"`, `SELECT "my col" FROM "t"`},
		{sqltext.PostgreSQL, "SELECT a::text, j ? 'k', j ?| x, m[1:2] FROM t", "SELECT a::text, j ? ?, j ?| x, m[?:?] FROM t"},
		{sqltext.PostgreSQL, "SELECT * FROM t WHERE a IN (1, -2, 'x') AND b IN ($1, $2)", "SELECT * FROM t WHERE a IN (?) AND b IN (?)"},
		{sqltext.PostgreSQL, "SELECT * FROM t WHERE a IN (1) AND b IN (SELECT 1)", "SELECT * FROM t WHERE a IN (?) AND b IN (SELECT ?)"},
		{sqltext.PostgreSQL, "SELECT 'unterminated", "SELECT ?"},
		{sqltext.PostgreSQL, "SELECT TRUE, NULL", "SELECT TRUE, NULL"},
		{sqltext.MySQL, `SELECT "a", 'b\tc', _utf8'x', @v, @@g # hidden`, "SELECT ?, ?, ?, @v, @@g"},
		{sqltext.MySQL, "SELECT 5--3, a -- b\n, c", "SELECT ?- -?, a , c"},
		{sqltext.MySQL, "SELECT /*!40101 'x' */ a", "SELECT ? a"},
		{sqltext.MySQL, "SELECT `a``b` FROM `t`", "SELECT `a``b` FROM `t`"},
		{sqltext.SQLite, `SELECT "x", t."y", [z] FROM "t" WHERE a = ?1 AND b = :b AND c = @c AND d = $d`, `SELECT ?, t."y", [z] FROM "t" WHERE a = ?1 AND b = :b AND c = @c AND d = $d`},
		{sqltext.Generic, `SELECT 'a\', secret, 'b'`, "SELECT ?"},
		{sqltext.Generic, "SELECT a #> b", "SELECT a ?"},
		{sqltext.Generic, "CREATE TABLE t (a text DEFAULT secret, b text DEFAULT [secret])", "CREATE TABLE t (a text DEFAULT ?, b text DEFAULT [?])"},
	}
	for _, test := range tests {
		got := sqltext.Sanitize(test.d, test.text)
		if got != test.want {
			t.Errorf("Sanitize(%q)\n got %q\nwant %q", test.text, got, test.want)
		}
		if again := sqltext.Sanitize(test.d, got); again != got {
			t.Errorf("Sanitize(%q) = %q: not the same again", got, again)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	got := sqltext.Split(sqltext.PostgreSQL, " SELECT ';' ; ;DO $$ a; b $$; -- c;\n")
	if want := []string{"SELECT ';'", "DO $$ a; b $$", "-- c;"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDialectOf(t *testing.T) {
	t.Parallel()
	for system, want := range map[string]sqltext.Dialect{
		"postgresql": sqltext.PostgreSQL, "cockroachdb": sqltext.PostgreSQL, "mysql": sqltext.MySQL, "mariadb": sqltext.MySQL,
		"sqlite": sqltext.SQLite, "other_sql": sqltext.Generic, "": sqltext.Generic,
	} {
		if got := sqltext.DialectOf(system); got != want {
			t.Errorf("DialectOf(%q) = %d, want %d", system, got, want)
		}
	}
}
