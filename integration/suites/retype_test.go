package suites_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

// slowPgx wait for a time of their own, or for a server that is not there.
const slowPgx = "^Test(ConnectTimeout|ConnectTimeoutStuckOnTLSHandshake|Pgbouncer.*)$"

// retypePgx puts our connection in place of pgx's in the tests of its root
// package, but in what pgx itself calls: tracers and rewriters.
func retypePgx(t *testing.T, w workspace) {
	t.Helper()
	underPgx(t, w)
	conn := regexp.MustCompile(`\*pgx\.Conn\b`)
	connect := regexp.MustCompile(`\bpgx\.(Connect|ConnectConfig|ConnectWithOptions)\(`)
	pgxs := regexp.MustCompile(`[tT]race[A-Z]|RewriteQuery`)
	for _, dir := range []string{"", "pgxtest"} {
		retypeFiles(t, filepath.Join(w.suite, dir), dir != "", func(line string) string {
			if !pgxs.MatchString(line) {
				line = conn.ReplaceAllString(line, "*under.Conn")
			}
			return connect.ReplaceAllString(line, "under.$1(")
		})
	}
}

// retypePgxpool does the same in the tests of pgxpool.
func retypePgxpool(t *testing.T, w workspace) {
	t.Helper()
	underPgx(t, w)
	words := strings.NewReplacer("*pgxpool.Pool", "*under.Pool", "*pgxpool.Conn", "*under.PoolConn",
		"pgxpool.New(", "under.New(", "pgxpool.NewWithConfig(", "under.NewWithConfig(")
	pgxs := regexp.MustCompile(`[tT]race[A-Z]`)
	retypeFiles(t, filepath.Join(w.suite, "pgxpool"), false, func(line string) string {
		if pgxs.MatchString(line) {
			return line
		}
		return words.Replace(line)
	})
}

// traceRiver has River's tests make their pools, which have to be pgx's own, with
// the tracer.
func traceRiver(t *testing.T, w workspace) {
	t.Helper()
	underPgx(t, w)
	traced := 0
	retypeFiles(t, w.suite, true, func(line string) string {
		traced += strings.Count(line, "pgxpool.NewWithConfig(")
		return strings.ReplaceAll(line, "pgxpool.NewWithConfig(", "under.NewTraced(")
	})
	if traced == 0 {
		t.Fatal("River's tests make no pool any more")
	}
}

// retypeFiles changes the lines of test files of external packages, or of all
// files, and imports what they then need.
func retypeFiles(t *testing.T, dir string, all bool, change func(line string) string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatal(err, dir)
	}
	external := regexp.MustCompile(`(?m)^package \w+_test$`)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !all && !external.Match(text) || filepath.Base(name) == "pgx_test.go" { // an example
			continue
		}
		lines := strings.Split(string(text), "\n")
		changed := false
		for i, line := range lines {
			lines[i] = change(line)
			changed = changed || lines[i] != line
		}
		if !changed {
			continue
		}
		out := strings.Replace(strings.Join(lines, "\n"), "import (", "import (\n\t\"suites.test/under\"", 1)
		for _, path := range []string{"pgx", "pgxpool"} { // an import may have lost its use
			if strings.Contains(out, "/"+path+"\"\n") || path == "pgx" && strings.Contains(out, "pgx/v5\"\n") {
				out += map[string]string{"pgx": "\nvar _ pgx.Tx\n", "pgxpool": "\nvar _ pgxpool.Stat\n"}[path]
			}
		}
		if err := os.WriteFile(name, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// underPgx writes what stands for pgx's types, with those methods of a
// connection that pgxdb's does not have.
func underPgx(t *testing.T, w workspace) {
	t.Helper()
	w.write(t, "under/pgx.go", source(t, "pgx.go.txt"))
	const ctx, connection = "ctx context.Context", "c.Unwrap()."
	lacking := "package under\n\nimport (\n\t\"context\"\n\n\t\"github.com/jackc/pgx/v5/pgconn\"\n\t\"github.com/jackc/pgx/v5/pgtype\"\n)\n\n" +
		"var (\n\t_ context.Context\n\t_ pgconn.PgError\n\t_ pgtype.Map\n)\n"
	for name, parts := range map[string][3]string{
		"PgConn":              {"", "*pgconn.PgConn", ""},
		"TypeMap":             {"", "*pgtype.Map", ""},
		"LoadType":            {ctx + ", name string", "(*pgtype.Type, error)", "ctx, name"},
		"LoadTypes":           {ctx + ", names []string", "([]*pgtype.Type, error)", "ctx, names"},
		"DeallocateAll":       {ctx, "error", "ctx"},
		"WaitForNotification": {ctx, "(*pgconn.Notification, error)", "ctx"},
	} {
		if _, has := reflect.TypeFor[*pgxdb.Conn]().MethodByName(name); !has {
			lacking += "\nfunc (c *Conn) " + name + "(" + parts[0] + ") " + parts[1] + " { return " + connection + name + "(" + parts[2] + ") }\n"
		}
	}
	w.write(t, "under/lacking.go", lacking)
}
