package sqltext_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// The same effects are held against servers by TestTextsDoToTransactionsWhatIsSaidOfThem
// of the integration tests.
func TestTxEffectOf(t *testing.T) {
	t.Parallel()
	const (
		unknown = sqltext.TxUnknown
		neutral = sqltext.TxNeutral
		begins  = sqltext.TxBegins
		ends    = sqltext.TxEnds
		may     = sqltext.TxMayBegin
	)
	for _, c := range []struct {
		text                              string
		postgres, mysql, sqlite, whatever sqltext.TxEffect
	}{
		{"SELECT 1", neutral, neutral, neutral, neutral},
		{" \n-- name: Get :one\nselect 1; ", neutral, neutral, neutral, neutral},
		{"/* x */ INSERT INTO t VALUES ('a;b')", neutral, neutral, neutral, unknown},
		{"UPDATE t SET a = CASE WHEN b THEN 1 END -- done; now", neutral, neutral, neutral, unknown},
		{"WITH x AS (SELECT 1) DELETE FROM t", neutral, neutral, neutral, neutral},
		{"REPLACE INTO t VALUES (1);;", neutral, neutral, neutral, neutral},
		{"(SELECT 1) UNION (SELECT 2)", neutral, neutral, may, unknown},
		{"SHOW TABLES", neutral, neutral, neutral, neutral},
		{"CREATE TABLE t (n INT)", neutral, neutral, neutral, neutral},
		{"DROP TABLE t", neutral, neutral, neutral, neutral},
		{"VACUUM", neutral, unknown, neutral, unknown},
		{"UPSERT INTO t VALUES (1)", neutral, unknown, neutral, unknown},
		{"selected", may, unknown, neutral, unknown},
		{"", may, unknown, may, unknown},
		{"-- nothing", may, unknown, may, unknown},

		{"BEGIN", begins, begins, begins, begins},
		{" -- x\n/* y */ Begin;", begins, begins, begins, begins},
		{"BEGIN IMMEDIATE", begins, unknown, begins, begins},
		{"BEGIN NOT ATOMIC SELECT 1", begins, unknown, begins, begins},
		{"START TRANSACTION READ ONLY", begins, begins, neutral, begins},
		{"START SLAVE", may, unknown, neutral, unknown},
		{"COMMIT", ends, ends, ends, may},
		{"commit work;", ends, ends, may, may},
		{"END TRANSACTION", ends, unknown, ends, unknown},
		{"ROLLBACK", ends, ends, ends, may},
		{"ABORT", ends, unknown, neutral, unknown},
		{"COMMIT AND CHAIN", may, may, may, may},
		{"ROLLBACK WORK AND CHAIN", may, may, may, may},
		{"ROLLBACK TO SAVEPOINT a", neutral, may, neutral, may},
		{"ROLLBACK TRANSACTION TO a", neutral, may, neutral, may},
		{"SAVEPOINT a", neutral, may, begins, unknown},
		{"RELEASE SAVEPOINT a", neutral, may, may, unknown},
		{"PREPARE TRANSACTION 'x'", may, unknown, neutral, unknown},
		{"PREPARE s AS SELECT 1", neutral, unknown, neutral, unknown},

		{"SET ROLE app", neutral, neutral, neutral, unknown},
		{"SET search_path = a, b", neutral, neutral, neutral, unknown},
		{"SET NAMES utf8mb4", neutral, neutral, neutral, unknown},
		{"SET autocommit=0", neutral, unknown, neutral, unknown},
		{"SET @@session . `AutoCommit` = 0", neutral, unknown, neutral, unknown},
		{"SET @a = 1, completion_type = CHAIN", neutral, unknown, neutral, unknown},
		{"SET STATEMENT max_statement_time=1 FOR COMMIT", neutral, unknown, neutral, unknown},
		{"SET /*!50000 autocommit=0 */", neutral, unknown, neutral, unknown},
		{"SET", neutral, unknown, neutral, unknown},
		{"CALL p()", neutral, unknown, neutral, unknown},
		{"DO SLEEP(0)", neutral, unknown, neutral, unknown},
		{"EXECUTE s", may, unknown, neutral, unknown},
		{"PREPARE s FROM 'COMMIT'", neutral, unknown, neutral, unknown},
		{"EXECUTE IMMEDIATE 'COMMIT'", may, unknown, neutral, unknown},
		{"get_user", may, unknown, neutral, unknown}, // the name of a prepared statement
		{"get user; ", may, unknown, neutral, unknown},
		{`"get user"`, may, unknown, may, unknown},
		{"XA START 'x'", may, unknown, neutral, unknown},
		{"LOCK TABLES t WRITE", neutral, unknown, neutral, unknown},
		{"CREATE TABLE t (n INT) START TRANSACTION", neutral, unknown, neutral, unknown},
		{"GRANT ALL ON t TO u", neutral, neutral, neutral, unknown},
		{"LOAD DATA LOCAL INFILE 'x' INTO TABLE t", neutral, neutral, neutral, unknown},
		{"/*! COMMIT */", may, unknown, may, unknown},
		{"/*!50000 SET autocommit=0 */", may, unknown, may, unknown},
		{"/*M! BEGIN */", may, unknown, may, unknown},

		{"SELECT 1; SELECT 2", may, unknown, may, unknown},
		{"SET @a = 1; START TRANSACTION", may, unknown, may, unknown},
		{"SELECT 1; -- and\nCOMMIT", may, unknown, may, unknown},
		{`SELECT 'a\'; COMMIT; SELECT '`, may, unknown, may, unknown},
		{`SELECT 'a\', '; COMMIT; SELECT 1`, may, unknown, may, unknown},
		{"CREATE FUNCTION f() RETURNS int AS $$ BEGIN; COMMIT; END $$ LANGUAGE plpgsql", neutral, unknown, may, unknown},
		{"SELECT 1 COMMIT", neutral, neutral, neutral, unknown},
		{"INSERT INTO t VALUES (1) SET IMPLICIT_TRANSACTIONS ON", neutral, neutral, neutral, unknown},
		{"UPDATE t SET a = 1 EXEC p", neutral, neutral, neutral, unknown},
		{"-- a\rCOMMIT;\nSELECT 1", may, unknown, may, unknown},
	} {
		for d, want := range map[sqltext.Dialect]sqltext.TxEffect{
			sqltext.PostgreSQL: c.postgres, sqltext.MySQL: c.mysql, sqltext.SQLite: c.sqlite, sqltext.Generic: c.whatever,
		} {
			if got := sqltext.TxEffectOf(d, c.text); got != want {
				t.Errorf("dialect %d: %q: effect %d, want %d", d, c.text, got, want)
			}
		}
	}
}

// A text of several statements is never neutral, whatever stands between them.
func FuzzCompoundTextsAreNeverNeutral(f *testing.F) {
	f.Add("SELECT 1", "COMMIT")
	f.Add("-- a\nSELECT 'x'", "SET autocommit=0")
	f.Fuzz(func(t *testing.T, first, second string) {
		for d := sqltext.Generic; d <= sqltext.SQLite; d++ {
			if len(sqltext.Split(d, first)) == 0 || len(sqltext.Split(d, second)) == 0 || strings.ContainsAny(second, "'\"`") {
				continue
			}
			if lone := sqltext.TxEffectOf(d, first+";"+second); lone == sqltext.TxNeutral && len(sqltext.Split(d, first+";"+second)) > 1 && !blank(d, second) {
				t.Errorf("dialect %d: %q and %q are neutral together", d, first, second)
			}
		}
	})
}

// blank reports whether a text has nothing but comments.
func blank(d sqltext.Dialect, text string) bool {
	lexer := sqltext.NewLexer(d, text)
	for {
		token, ok := lexer.Next()
		if !ok {
			return true
		}
		if token.Kind != sqltext.Space && token.Kind != sqltext.Comment && text[token.Start:token.End] != ";" {
			return false
		}
	}
}

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestTxEffectOfAllocatesNothing(t *testing.T) {
	for _, text := range []string{"INSERT INTO t VALUES (?, ?)", "/* x */ SELECT 1", "CREATE TABLE t (n INT)"} {
		sqltext.TxEffectOf(sqltext.MySQL, text)
		if n := alloctest.PerRun(100, func() { sqltext.TxEffectOf(sqltext.MySQL, text) }); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

func BenchmarkTxEffectOf(b *testing.B) {
	for name, text := range map[string]string{
		"plain":   "INSERT INTO orders (id, customer, total, placed_at) VALUES (?, ?, ?, ?)",
		"preface": "-- name: GetOrder :one\nSELECT id, customer, total, placed_at FROM orders WHERE id = $1",
		"comment": "/* name: GetOrder */ SELECT id, customer, total, placed_at FROM orders WHERE id = $1",
		"migrate": "CREATE TABLE orders (id INT)",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = sqltext.TxEffectOf(sqltext.PostgreSQL, text)
			}
		})
	}
}
