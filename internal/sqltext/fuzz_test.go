package sqltext_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"pgregory.net/rapid"
)

var dialects = []sqltext.Dialect{sqltext.Generic, sqltext.PostgreSQL, sqltext.MySQL, sqltext.SQLite}

// FuzzText holds what is true of any text: tokens cover it, sanitising twice
// does no more than once, a summary is short.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"SELECT * FROM t WHERE a = 'x' -- y", `SELECT "a", E'\'', $q$ x $q$ /* z */`, "INSERT INTO t VALUES (1, ?), (-2.5e3, :n)",
		"WITH a AS (SELECT 1), b AS (UPDATE t SET x = 1) SELECT * FROM a, b; EXPLAIN DELETE FROM c", "/*!40101 SET x = '*/ y' */ #z\n", "'\\",
		"a IN (1, 'b', $3) AND [c] = @@d--e\n`f", "((((((", "))", "\xff\xfe'", "from.a.b.", "$a$$b$a$", "0x1e+5 1e+5", "with x", "explain analyze (",
	} {
		f.Add(uint8(0), seed)
		f.Add(uint8(1), seed)
		f.Add(uint8(2), seed)
		f.Add(uint8(3), seed)
	}
	f.Fuzz(func(t *testing.T, n uint8, text string) {
		d := dialects[int(n)%len(dialects)]
		lexer, end := sqltext.NewLexer(d, text), 0
		for {
			token, ok := lexer.Next()
			if !ok {
				break
			}
			if token.Start != end || token.End <= token.Start {
				t.Fatalf("token %v after offset %d", token, end)
			}
			end = token.End
		}
		if end != len(text) {
			t.Fatalf("tokens end at %d of %d", end, len(text))
		}
		a := sqltext.Analyse(d, text)
		if again := sqltext.Sanitize(d, a.Sanitized); again != a.Sanitized {
			t.Errorf("sanitised once  %q\nsanitised twice %q", a.Sanitized, again)
		}
		if len(a.Summary) > 255 {
			t.Errorf("a summary of %d bytes", len(a.Summary))
		}
	})
}

// literals are the forms a value can have, by dialect; %s is the secret.
var literals = map[sqltext.Dialect][]string{
	sqltext.Generic:    {"'%s'", "'it''s %s'", "'%s", `'\'%s'`, "$$%s$$", "E'\\'%s'", "/* %s */ 1", "-- %s\n1", "/*! '%s' */", "\"%s\""},
	sqltext.PostgreSQL: {"'%s'", "'it''s %s'", "'%s", `'\' || '%s'`, `E'\'%s'`, "$$%s$$", "$a$ $$ %s $a$", "U&'%s'", "N'%s'", "B'%s'", "/* /* */ %s */ 1", "-- %s\n1", "DATE '%s'", "'%s'::text", "0x0%s"},
	sqltext.MySQL:      {"'%s'", `'\'%s'`, "\"%s\"", `"\"%s"`, "_utf8'%s'", "x'%s'", "# %s\n1", "-- %s\n1", "/* %s */ 1", "/*!50000 '*/ %s' */", "1--'\n%s'", "'%s", "0x0%s"},
	sqltext.SQLite:     {"'%s'", "'it''s %s'", "\"%s\"", "x'%s'", "-- %s\n1", "/* %s */ 1", "'%s", `'\' || '%s'`, "/* %s"},
}

// shapes are statements with a value in them.
var shapes = []string{
	"SELECT * FROM t WHERE a = %s", "SELECT %s", "SELECT f(%s) FROM t", "INSERT INTO t (a) VALUES (%s)", "UPDATE t SET a = %s WHERE b = ?",
	"DELETE FROM t WHERE a IN (1, %s)", "SELECT * FROM t WHERE a LIKE %s ORDER BY 1", "CALL p(%s)", "SET x = %s",
	"SELECT EXTRACT(year FROM %s) FROM t", "SELECT TRIM(BOTH FROM %s)", "SELECT a IS DISTINCT FROM %s", "WITH x AS (SELECT %s) SELECT * FROM x",
	"SELECT * FROM a JOIN b ON a.x = %s", "COPY t FROM %s", "CREATE TABLE t (a int DEFAULT %s)", "PRAGMA x = %s", "SELECT * FROM f(%s), g",
	"SELECT CASE WHEN a THEN %s END FROM t", "EXPLAIN SELECT %s", "SELECT SUBSTRING(a FROM %s FOR 2)", "ALTER ROLE r PASSWORD %s",
}

// TestNoLiteralIsEverLeaked puts a secret wherever a value can stand.
func TestNoLiteralIsEverLeaked(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for d, forms := range literals {
		for _, shape := range shapes {
			for _, form := range forms {
				text := fmt.Sprintf(shape, strings.ReplaceAll(form, "%s", secret))
				if a := sqltext.Analyse(d, text); strings.Contains(a.Sanitized+a.Summary, secret) {
					t.Errorf("dialect %d, %q\nsanitised %q\nsummary %q", d, text, a.Sanitized, a.Summary)
				}
			}
		}
	}
}

// TestNoLiteralIsLeakedFromStatementsPutTogether does so with random pieces
// between and around.
func TestNoLiteralIsLeakedFromStatementsPutTogether(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(dialects[1:]).Draw(t, "dialect")
		var b strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "statements") {
			// An unterminated literal ends the text: only the last may be one.
			form := rapid.SampledFrom(literals[d]).Filter(func(s string) bool {
				return s != "'%s" && s != "/* %s" && !strings.HasPrefix(s, "/*!")
			}).Draw(t, "form")
			value := strings.ReplaceAll(form, "%s", secret)
			fmt.Fprintf(&b, rapid.SampledFrom(shapes).Draw(t, "shape"), value)
			b.WriteString(rapid.SampledFrom([]string{"; ", " UNION ALL ", ";\n"}).Draw(t, "between"))
		}
		a := sqltext.Analyse(d, b.String())
		if strings.Contains(a.Sanitized+a.Summary, secret) {
			t.Errorf("dialect %d, %q\nsanitised %q\nsummary %q", d, b.String(), a.Sanitized, a.Summary)
		}
	})
}
