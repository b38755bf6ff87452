package retry_test

import (
	"context"
	"database/sql/driver"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

var update = flag.Bool("update", false, "write the table of docs/retry.md anew")

// TestTheTableOfTheDocumentation holds the table of docs/retry.md against what
// the package does.
func TestTheTableOfTheDocumentation(t *testing.T) {
	t.Parallel()
	const file = "../docs/retry.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(page)
	for name, table := range map[string]string{"what is retried": table(t), "texts": texts(t)} {
		begin, end := "<!-- table of "+name+": begin -->\n", "<!-- table of "+name+": end -->"
		before, rest, found := strings.Cut(want, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("the page has no place for the table of %s", name)
		}
		want = before + begin + table + end + after
	}
	if want == string(page) {
		return
	}
	if !*update {
		t.Fatalf("a table is not what the package does; want\n%s", want)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// situations are the columns: calls in their states.
var situations = []struct {
	name   string
	marked bool
	shape  func(*sp.Call)
}{
	{"atomic text, on a pool", false, exec},
	{"the same, on one connection", false, onConn(sp.OpExec)},
	{"any other text, on a pool", false, func(c *sp.Call) { exec(c); c.Text = "CALL p()" }},
	{"any, idempotent, on a pool", true, func(c *sp.Call) { exec(c); c.Text = "CALL p()" }},
	{"any, in a transaction or unsure", true, inTx},
	{"unit", false, unit},
}

// table writes the table: for each fault and situation, whether there is a
// second attempt.
func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| after |")
	for _, s := range situations {
		b.WriteString(" " + s.name + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(situations)+1) + "\n")
	for _, f := range []struct {
		name     string
		err      error
		progress fault.Progress
	}{
		{"it was not sent: its connection was found dead", driver.ErrBadConn, fault.ProgressUnsent},
		{"no connection could be opened", errRefused, fault.ProgressUnknown},
		{"too many connections (53300)", tooMany, fault.ProgressUnknown},
		{"the same, said inside a statement (53300 as an ERROR; 1040)", &MySQLError{Number: 1040}, fault.ProgressUnknown},
		{"no connection of the pool was free in time", fault.ErrPoolTimeout, fault.ProgressUnsent},
		{"serialization failure, deadlock (40001)", serialization, fault.ProgressUnknown},
		{"no memory (53200)", noMemory, fault.ProgressUnknown},
		{"the server only reads (25006)", pgError("25006"), fault.ProgressUnknown},
		{"a lock limit that was asked for (55P03, 3572)", pgError("55P03"), fault.ProgressUnknown},
		{"a lock limit by default (1205)", &MySQLError{Number: 1205}, fault.ProgressUnknown},
		{"a lock limit by default (SQLITE_BUSY)", busy, fault.ProgressUnknown},
		{"Galera's node is not ready (1047)", &MySQLError{Number: 1047, Message: "WSREP has not yet prepared node for application use"}, fault.ProgressUnknown},
		{"the connection broke", errLost, fault.ProgressUnknown},
		{"the server stopped (57P01)", pgError("57P01"), fault.ProgressUnknown},
		{"the attempt's own time was over", fault.ErrAttemptTimeout, fault.ProgressUnknown},
		{"the answer to COMMIT was lost", &fault.CommitError{Err: errLost}, fault.ProgressUnknown},
		{"a violated constraint (23505)", unique, fault.ProgressUnknown},
		{"statement_timeout (57014)", canceledQuery, fault.ProgressUnknown},
		{"an error that no table knows", errUnknown, fault.ProgressUnknown},
		{"a refusal of this library", errRejected, fault.ProgressUnknown},
		{"the caller gave up", context.Canceled, fault.ProgressUnknown},
	} {
		fmt.Fprintf(&b, "| %s |", f.name)
		for _, s := range situations {
			ctx := t.Context()
			if s.marked {
				ctx = sp.WithIdempotent(ctx)
			}
			cell := " – |"
			if performs(ctx, eager(t), &script{steps: []step{{err: f.err, progress: f.progress}, {}}}, s.shape) > 1 {
				cell = " yes |"
			}
			b.WriteString(cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// texts writes the table of samples: whether a statement that its server undid
// is retried, by system.
func texts(t *testing.T) string {
	t.Helper()
	systems := []sp.System{sp.PostgreSQL, sp.CockroachDB, sp.MySQL, sp.MariaDB, sp.SQLite, ""}
	var b strings.Builder
	b.WriteString("| text |")
	for _, system := range systems {
		if system == "" {
			system = "not known"
		}
		b.WriteString(" " + string(system) + " |")
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(systems)+1) + "\n")
	for _, text := range []string{
		"SELECT a FROM t FOR UPDATE", "(SELECT 1) UNION (SELECT 2)", "VALUES (1)", "WITH w AS (SELECT 1) SELECT * FROM w",
		"INSERT INTO t VALUES (1), (2)", "INSERT INTO t SELECT * FROM u", "REPLACE INTO t VALUES (1)",
		"UPDATE t SET a = 1 WHERE b = 2", "UPDATE t SET a = 1 WHERE b IN (SELECT b FROM u)", "DELETE FROM t WHERE a = 1", "DELETE t FROM t JOIN u",
		"MERGE INTO t USING u ON …", "WITH d AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM d",
		"SHOW TABLES", "EXPLAIN DELETE FROM t", "EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN (ANALYZE) DELETE FROM t", "ANALYZE DELETE FROM t",
		"SELECT a INTO b FROM t", "SELECT @n := @n + 1", "SELECT /*! SQL_NO_CACHE */ 1", "INSERT OR FAIL INTO t VALUES (1)",
		"SELECT 1; SELECT 2", "CALL p()", "DO …", "EXECUTE s", "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
		"CREATE TABLE t AS SELECT 1", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", "LOAD DATA LOCAL INFILE 'Reader::x' INTO TABLE t",
	} {
		fmt.Fprintf(&b, "| `%s` |", text)
		for _, system := range systems {
			target := &sp.Target{System: system}
			shape := func(c *sp.Call) { exec(c); c.Text, c.Target = text, target }
			cell := " – |"
			if performs(t.Context(), eager(t), &script{steps: fails(serialization)}, shape) > 1 {
				cell = " yes |"
			}
			b.WriteString(cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
