package suites_test

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "github.com/DATA-DOG/go-sqlmock" // its tests are run, of the version in go.mod

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// suite is a package's tests.
type suite struct {
	name   string
	module string // empty: the standard library
	path   string // import path of the package
	pkg    string // the name of a test file's package that may import ours
	quick  string // which tests are the quick part
	skip   string // which tests are left out, and why is said beside it
	env    func(t *testing.T) []string
	// lighten takes out of the copied suite what a quick part does without.
	lighten func(t *testing.T, dir string)
	// retype puts our types in place of those of the suite; nil: the pipeline
	// goes under database/sql.
	retype func(t *testing.T, w workspace)
}

// chains are what suites run on: the pipeline bypassed, one link that does
// nothing, and what a service has.
var chains = []string{"empty", "one link", "kit"}

// attrOf is what a chain is called in the table of docs/verified.md.
var attrOf = map[string]string{"empty": "empty-chain", "one link": "one-link", "kit": "kit"}

// whole reports whether suites are run whole, which takes minutes.
func whole() bool { return os.Getenv("SESSIONPROXY_VERIFY") != "" }

func TestSuites(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and runs other projects' tests")
	}
	for _, s := range suites {
		t.Run(s.name, func(t *testing.T) { s.run(t) })
	}
}

func (s suite) run(t *testing.T) {
	w := newWorkspace(t, s.module)
	dir := filepath.Join(w.suite, strings.TrimPrefix(strings.TrimPrefix(s.path, s.module), "/"))
	if s.module == "" {
		dir = filepath.Join(w.suite, "src", s.path)
	}
	if s.lighten != nil && !whole() {
		s.lighten(t, dir)
	}
	raw := w.build(t, "raw", s.path)
	ours := s.buildOurs(t, w, dir)

	pattern, on := "", chains
	if !whole() {
		pattern, on = s.quick, chains[2:]
	}
	want := runTests(t, raw, dir, s.environment(t), pattern, s.skip)
	t.Attr("name", s.name)
	t.Attr("version", version(t, s.module))
	t.Attr("without-us", strconv.Itoa(want.count("pass")))
	if want.count("pass") == 0 {
		t.Fatalf("no test passes without us:\n%s", tail(want.output[""], 30))
	}
	t.Attr("differences-that-are-meant", strconv.Itoa(countMeant(s.name, "kit")))
	for _, chain := range on {
		t.Run(chain, func(t *testing.T) {
			env := append(s.environment(t), "SUITES_CHAIN="+chain)
			got := runTests(t, ours, dir, env, pattern, s.skip)
			differ := differences(want, got)
			// What differs now and then differs without us as well.
			for again := 0; again < 2 && len(differ) > 0; again++ {
				only := exactly(differ)
				got = merge(got, runTests(t, ours, dir, append(s.environment(t), "SUITES_CHAIN="+chain), only, s.skip))
				want = merge(want, runTests(t, raw, dir, s.environment(t), only, s.skip))
				differ = slices.DeleteFunc(differ, func(name string) bool { return want.ended[name] == got.ended[name] })
			}
			t.Logf("%s: %d tests pass without us, %d on us, %d are skipped", s.name, want.count("pass"), got.count("pass"), want.count("skip"))
			t.Attr(attrOf[chain], strconv.Itoa(got.count("pass")))
			s.judge(t, chain, differ, want, got)
		})
	}
}

// merge lays a later run over an earlier one.
func merge(a, b results) results {
	maps.Copy(a.ended, b.ended)
	maps.Copy(a.output, b.output)
	return a
}

// judge holds the differences against those that are meant.
func (s suite) judge(t *testing.T, chain string, differ []string, want, got results) {
	t.Helper()
	needed := map[int]bool{}
	for _, name := range differ {
		if entry, ok := find(s.name, chain, name); ok {
			needed[entry] = true
			continue
		}
		if want.ended[name] == "fail" { // as one of 300 connections does on a busy machine
			t.Logf("%s: fails without us, three times", name)
			continue
		}
		end := got.ended[name]
		if end == "" {
			end = "did not run"
		}
		for above := name; ; above = above[:strings.LastIndexByte(above, '/')] {
			// A test that did not run is told of by the one above it.
			out := got.output[above]
			if out == "" && strings.Contains(above, "/") {
				continue
			}
			t.Errorf("%s: %s without us, on us %s:\n%s", name, want.ended[name], end, tail(out, 15))
			break
		}
	}
	for name, how := range want.ended {
		if entry, ok := find(s.name, chain, name); ok && name == meant[entry].test && how == "pass" && !needed[entry] {
			t.Errorf("%s does not differ any more: strike it from the list", name)
		}
	}
}

// buildOurs builds the suite with the pipeline in it.
func (s suite) buildOurs(t *testing.T, w workspace, dir string) string {
	t.Helper()
	w.write(t, "under/chain.go", source(t, "chain.go.txt"))
	if s.retype != nil {
		s.retype(t, w)
		return w.build(t, "ours", s.path)
	}
	w.write(t, "under/sql.go", source(t, "sql.go.txt"))
	hook := "package " + s.pkg + "\n\nimport _ \"suites.test/under\"\n"
	more := map[string]string{filepath.Join(dir, "zz_sessionproxy_test.go"): w.write(t, "overlay/zz_test.go", hook)}
	return w.build(t, "ours", s.path, "-overlay", w.overlaySQL(t, more))
}

func (s suite) environment(t *testing.T) []string {
	t.Helper()
	if s.env == nil {
		return nil
	}
	return s.env(t)
}

// suites are those that are run. What a quick part leaves out is what takes long
// or many connections.
var suites = []suite{
	{name: "database/sql", path: "database/sql", pkg: "sql_test", quick: "."},
	{
		name: "go-sql-driver/mysql", module: "github.com/go-sql-driver/mysql", path: "github.com/go-sql-driver/mysql", pkg: "mysql",
		quick: "^Test(Empty|CRUD|Int|Float|String|DateTime|NULL|Context|Conn|Ping|Stmt|Tx|Value|Rows|Multi|Prepared|Row)",
		env:   mysqlEnv,
	},
	{
		name: "lib/pq", module: "github.com/lib/pq", path: "github.com/lib/pq", pkg: "pq",
		quick: "^Test(Exec|Statement|Rows|Row|Encode|Null|Bind|Bad|Commit|Begin|Tx|Context|Parse|Issue)",
		env:   pqEnv,
	},
	{
		name: "pgx/stdlib", module: "github.com/jackc/pgx/v5", path: "github.com/jackc/pgx/v5/stdlib", pkg: "stdlib_test",
		quick: "^Test(Conn|SQL|Null|Transaction|Begin|Ping|Query|Exec)",
		env:   pgxEnv,
	},
	{
		name: "pgx", module: "github.com/jackc/pgx/v5", path: "github.com/jackc/pgx/v5",
		quick: "^Test(Exec|Query|QueryRow|Conn(Begin|Query)|SendBatch|Tx|Transaction|Prepare|CopyFrom|Connect|Large)", skip: slowPgx,
		env: pgxEnv, retype: retypePgx,
	},
	{
		name: "pgxpool", module: "github.com/jackc/pgx/v5", path: "github.com/jackc/pgx/v5/pgxpool",
		quick: "^Test(Pool(Acquire|Query|Exec|Send|Begin|Copy)|Conn|Tx)", env: pgxEnv, retype: retypePgxpool,
	},
	{
		name: "River's driver", module: "github.com/riverqueue/river/riverdriver/riverpgxv5", path: "github.com/riverqueue/river/riverdriver/riverpgxv5",
		quick: ".", env: riverEnv, retype: traceRiver,
	},
	{
		name: "sqlx", module: "github.com/jmoiron/sqlx", path: "github.com/jmoiron/sqlx", pkg: "sqlx",
		quick: ".",
		env:   sqlxEnv, lighten: withoutCSQLite,
	},
	{
		name: "sqlmock", module: "github.com/DATA-DOG/go-sqlmock", path: "github.com/DATA-DOG/go-sqlmock", pkg: "sqlmock",
		quick: ".",
	},
}

func mysqlEnv(t *testing.T) []string {
	t.Helper()
	d := dbtest.MariaDB(t).Database(t)
	return []string{
		"MYSQL_TEST_USER=" + d.User, "MYSQL_TEST_PASS=" + d.Password, "MYSQL_TEST_PROT=tcp",
		"MYSQL_TEST_ADDR=" + net.JoinHostPort(d.Host, strconv.Itoa(d.Port)), "MYSQL_TEST_DBNAME=" + d.Name, "MYSQL_TEST_CONCURRENT=1",
	}
}

func pqEnv(t *testing.T) []string {
	t.Helper()
	d := dbtest.Postgres(t).Database(t)
	return []string{
		"PGHOST=" + d.Host, fmt.Sprintf("PGPORT=%d", d.Port), "PGUSER=" + d.User, "PGPASSWORD=" + d.Password,
		"PGDATABASE=" + d.Name, "PGSSLMODE=disable",
	}
}

func pgxEnv(t *testing.T) []string {
	t.Helper()
	d := dbtest.Postgres(t).Database(t)
	if _, err := d.Query(t.Context(), "CREATE DOMAIN uint64 AS numeric(20,0)"); err != nil {
		t.Fatal(err)
	}
	return []string{"PGX_TEST_DATABASE=" + d.DSN()}
}

func riverEnv(t *testing.T) []string {
	t.Helper()
	return []string{"TEST_DATABASE_URL=" + dbtest.Postgres(t).Database(t).URL()}
}

// withoutCSQLite spares the compilation of SQLite in C, which takes longer than
// all else.
func withoutCSQLite(t *testing.T, dir string) {
	t.Helper()
	for _, file := range []string{"sqlx_test.go", "sqlx_context_test.go"} {
		name := filepath.Join(dir, file)
		text := edit(t, name, `_ "github.com/mattn/go-sqlite3"`, "")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func sqlxEnv(t *testing.T) []string {
	t.Helper()
	return []string{
		"SQLX_POSTGRES_DSN=" + dbtest.Postgres(t).Database(t).DSN(),
		"SQLX_MYSQL_DSN=" + dbtest.MariaDB(t).Database(t).DSN("parseTime=true"),
		"SQLX_SQLITE_DSN=" + filepath.Join(t.TempDir(), "sqlx.db"),
	}
}
