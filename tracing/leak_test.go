package tracing_test

import (
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// secret is what no span, name or measurement may hold. It is a word and a
// number, to be written as any kind of literal.
const secret = "7355608"

// literals write a value as each kind of literal that a system has; the value
// is escaped as the system wants it.
func literals(system sp.System, value string) []string {
	quoted := strings.ReplaceAll(value, "'", "''")
	if system == sp.MySQL || system == sp.MariaDB {
		quoted = strings.ReplaceAll(quoted, `\`, `\\`)
	}
	out := []string{"'" + quoted + "'", secret, secret + ".5", "-" + secret, "1e" + secret, "x'" + secret + "0'"}
	switch system {
	case sp.PostgreSQL, sp.CockroachDB:
		escaped := strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), "'", `\'`)
		out = append(out, "E'"+escaped+"'", "$a$"+strings.ReplaceAll(value, "$", "")+"$a$", "$$"+strings.ReplaceAll(value, "$", "")+"$$",
			"DATE '"+quoted+"'", "'"+quoted+"'::text", "B'"+secret+"'")
	case sp.MySQL, sp.MariaDB:
		out = append(out, `"`+strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), `"`, `""`)+`"`, "0x"+secret, "_utf8mb4'"+quoted+"'", "N'"+quoted+"'")
	}
	return out
}

// shapes are statements with a place for a literal.
var shapes = []string{
	"SELECT a FROM t WHERE b = @",
	"SELECT @",
	"SELECT a, @ AS b FROM t, u WHERE c IN (1, @, @) ORDER BY 1",
	"INSERT INTO t (a, b) VALUES (@, 1), (2, @)",
	"UPDATE t SET a = @, b = b + @ WHERE c LIKE @",
	"DELETE FROM t WHERE a BETWEEN @ AND @",
	"INSERT INTO t SELECT @ FROM u",
	"WITH x AS (SELECT @) SELECT * FROM x JOIN y ON x.a = y.a AND y.b = @",
	"CALL p(@, 'b')",
	"SET a = @",
	"SELECT f(@)",
	"SELECT CASE WHEN a = @ THEN @ ELSE b END FROM t",
	"DELETE FROM t WHERE a = @; DELETE FROM u WHERE a = @",
	"SELECT a FROM t LIMIT @",
}

func FuzzLiteralsAreNeverRecorded(f *testing.F) {
	f.Add("", uint8(0), uint8(0), uint8(0))
	f.Add(`it's \' " $1 ? ; -- /*`, uint8(3), uint8(1), uint8(2))
	f.Add("ünï\x00\xff", uint8(12), uint8(2), uint8(6))
	systems := []sp.System{sp.PostgreSQL, sp.CockroachDB, sp.MySQL, sp.MariaDB, sp.SQLite}
	ops := []sp.Op{sp.OpExec, sp.OpQuery, sp.OpPrepare, sp.OpBatch, sp.OpCopy}
	f.Fuzz(func(t *testing.T, value string, shape, system, kind uint8) {
		target := &sp.Target{System: systems[int(system)%len(systems)]}
		all := literals(target.System, value+secret)
		query := strings.ReplaceAll(shapes[int(shape)%len(shapes)], "@", all[int(kind)%len(all)])
		r, m := &recorder{}, &meter{}
		tr := newTracing(t, r, tracing.WithMeterProvider(m))
		for _, op := range ops {
			c := failing(call(op, query), stateError("23505"))
			c.Target, c.BatchSize = target, 2
			_, _ = run(t.Context(), c, tr)
		}
		for _, s := range r.all() {
			if strings.Contains(s.dump(), secret) || strings.Contains(s.dump(), "s3cr3t") {
				t.Fatalf("%s: %q is recorded as\n%s", target.System, query, s.dump())
			}
		}
		for _, v := range m.all(durationMetric) {
			if out := text(v.attributes.ToSlice()); strings.Contains(out, secret) || strings.Contains(out, "db.query.text") {
				t.Fatalf("%s: %q is measured with\n%s", target.System, query, out)
			}
		}
	})
}

func TestLiteralsOfLongTextsAreNotRecorded(t *testing.T) {
	t.Parallel()
	// The text ends, for the reader, within a literal.
	for pad := range 12 {
		query := "INSERT INTO t VALUES (" + strings.Repeat("1, ", 32<<10/3-3) + strings.Repeat(" ", pad) + "'" + strings.Repeat(secret, 100) + "')"
		for _, limit := range []int{0, 100, 64 << 10} {
			s := observed(t, call(sp.OpExec, query), tracing.WithQueryTextLimit(limit))
			if strings.Contains(s.dump(), secret) || s.name != "INSERT t" {
				t.Fatalf("limit %d: recorded as %q\n%.200s", limit, s.name, s.dump())
			}
		}
	}
}
