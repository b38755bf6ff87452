package integration_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/wrapping.md anew")

// library is a row of the table of docs/wrapping.md.
type library struct {
	name, module string
	tests        []string // of this package, by their names
	unable       string   // what is known not to work
}

var libraries = []library{
	{
		"database/sql", "", []string{"TestRealDriversLoseNothing"}, "a type assertion on what `sql.Conn.Raw` hands out: `sqldb.Raw` or `WithDriverConns`",
	},
	{
		"pgx", "github.com/jackc/pgx/v5",
		[]string{"TestPgBouncerBehindPlainDrivers", "TestRawGivesTheDriversConnection"},
		"`SendBatch` reads the first result before it returns, so that a tracer of yours hears of it earlier",
	},
	{
		"lib/pq", "github.com/lib/pq",
		[]string{"TestRealDriversLoseNothing", "TestPgBouncerBehindPlainDrivers", "TestACopyOfPQIsOneSpanForTheWhole"},
		"its handshake does not heed the context; behind a pooler by transaction, its default",
	},
	{"bun's pgdriver", "github.com/uptrace/bun/driver/pgdriver", []string{"TestRawGivesTheDriversConnection"}, "`CopyFrom` and `CopyTo` panic, except `WithDriverConns`"},
	{"go-sql-driver/mysql", "github.com/go-sql-driver/mysql", []string{"TestRealDriversLoseNothing"}, ""},
	{"modernc.org/sqlite", "modernc.org/sqlite", []string{"TestRealDriversLoseNothing"}, ""},
	{"gorm", "gorm.io/gorm", []string{"TestGormRunsUnchanged"}, ""},
	{"bun", "github.com/uptrace/bun", []string{"TestBunRunsUnchanged"}, ""},
	{"ent", "entgo.io/ent", []string{"TestEntRunsUnchanged"}, ""},
	{"sqlx", "github.com/jmoiron/sqlx", []string{"TestSqlxRunsUnchanged"}, ""},
	{"squirrel", "github.com/Masterminds/squirrel", []string{"TestSquirrelAndScanyRunUnchanged"}, ""},
	{"scany", "github.com/georgysavva/scany/v2", []string{"TestSquirrelAndScanyRunUnchanged", "TestScanyRunsOnPGX"}, ""},
	{"goose", "github.com/pressly/goose/v3", []string{"TestGooseRunsUnchanged"}, ""},
	{
		"River", "github.com/riverqueue/river",
		[]string{"TestRiverOnATracedPool", "TestRiversSpansAreThoseOfAPool"},
		"it takes pgx's own pool: what acts on calls (retry, breaker, limits) does not act on River's",
	},
	{"sqlmock", "github.com/DATA-DOG/go-sqlmock", nil, "`sqlmock.New` is not wrapped: `NewWithDSN`, then `sqldb.Open(\"sqlmock\", …)`"},
}

// TestTheCompatibilityTableIsTrue compares the table of docs/wrapping.md with
// go.mod, with the tests that there are here, and with the suites that "make
// verify" runs. With -update it writes the table anew.
func TestTheCompatibilityTableIsTrue(t *testing.T) {
	t.Parallel()
	tests, suites := testNames(t), suiteModules(t)
	table := "| library | version | run by | known not to work |\n| --- | --- | --- | --- |\n"
	for _, l := range libraries {
		var run []string
		for _, name := range l.tests {
			if !tests[name] {
				t.Errorf("%s: there is no test %s", l.name, name)
			}
			run = append(run, "`"+name+"`")
		}
		if l.hasSuite(suites) {
			run = append(run, "its own tests")
		}
		if len(run) == 0 {
			t.Errorf("nothing runs %s", l.name)
		}
		table += fmt.Sprintf("| %s | %s | %s | %s |\n", l.name, required(t, l.module), strings.Join(run, ", "), l.unable)
	}
	const (
		page  = "../docs/wrapping.md"
		begin = "<!-- the table is written by go test -C integration -run TestTheCompatibilityTableIsTrue -update -->\n"
		end   = "<!-- end of the table -->\n"
	)
	text := string(must(os.ReadFile(page)))
	before, rest, ok := strings.Cut(text, begin)
	was, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", page)
	}
	switch {
	case was == table:
	case *update:
		if err := os.WriteFile(page, []byte(before+begin+table+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is out of date: run with -update. It should be\n%s", page, table)
	}
}

// hasSuite reports whether tests of the library's module are run, or of one
// inside of it.
func (l library) hasSuite(suites map[string]bool) bool {
	for module := range suites {
		if module == l.module || l.module != "" && strings.HasPrefix(module, l.module+"/") {
			return true
		}
	}
	return false
}

// required is the version of a module that go.mod requires; Go's for the
// standard library.
func required(t *testing.T, module string) string {
	t.Helper()
	mod := string(must(os.ReadFile("go.mod")))
	pattern := `(?m)^go (\S+)$`
	if module != "" {
		pattern = `(?m)^\t(?:require )?` + regexp.QuoteMeta(module) + ` (v\S+)`
	}
	found := regexp.MustCompile(pattern).FindStringSubmatch(mod)
	if found == nil {
		t.Errorf("go.mod does not require %s", module)
		return ""
	}
	if module == "" {
		return "Go " + found[1]
	}
	return found[1]
}

// testNames are the tests of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range must(filepath.Glob("*_test.go")) {
		for _, d := range must(parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)).Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// suiteModules are the modules whose own tests package suites runs; the empty
// one is the standard library.
func suiteModules(t *testing.T) map[string]bool {
	t.Helper()
	modules := map[string]bool{}
	file := must(parser.ParseFile(token.NewFileSet(), "suites/suites_test.go", nil, parser.SkipObjectResolution))
	ast.Inspect(file, func(n ast.Node) bool {
		entry, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		fields := map[string]string{}
		for _, e := range entry.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				key, _ := kv.Key.(*ast.Ident)
				if value, ok := kv.Value.(*ast.BasicLit); ok && key != nil {
					fields[key.Name] = strings.Trim(value.Value, `"`)
				}
			}
		}
		if fields["name"] != "" && fields["path"] != "" {
			modules[fields["module"]] = true
		}
		return true
	})
	return modules
}
