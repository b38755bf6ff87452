package integration_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The packages that a fragment of code in README and docs may use without
// importing them.
var snippetImports = []string{
	"testing", "github.com/sessionproxy/sessionproxy/sptest", "github.com/sessionproxy/sessionproxy/sptest/sqlitefaults",
	"context", "database/sql", "database/sql/driver", "errors", "fmt", "log", "log/slog", "net/http", "os", "strconv", "time",
	"go.opentelemetry.io/otel",
	"go.opentelemetry.io/otel/attribute",
	"github.com/jackc/pgx/v5",
	"github.com/jackc/pgx/v5/pgconn",
	"github.com/jackc/pgx/v5/pgxpool",
	"github.com/jackc/pgx/v5/stdlib",
	"github.com/go-sql-driver/mysql",
	module,
	module + "/attach",
	module + "/breaker",
	module + "/cluster",
	module + "/driver/pgxdb",
	module + "/driver/sqldb",
	module + "/engine",
	module + "/engine/scan",
	module + "/fault",
	module + "/fault/integrity",
	module + "/middleware/adaptivelimit",
	module + "/middleware/hedge",
	module + "/middleware/limit",
	module + "/middleware/logging",
	module + "/middleware/nplusone",
	module + "/middleware/profile",
	module + "/middleware/ratelimit",
	module + "/middleware/readonly",
	module + "/middleware/recovery",
	module + "/middleware/slowquery",
	module + "/middleware/sqlcomment",
	module + "/middleware/statusz",
	module + "/middleware/throttle",
	module + "/middleware/timeout",
	module + "/orm",
	module + "/orm/event",
	module + "/orm/expr",
	module + "/orm/rows",
	module + "/preset",
	module + "/proxy",
	module + "/proxy/httpscope",
	module + "/retry",
	module + "/tracing",
}

const module = "github.com/sessionproxy/sessionproxy"

// snippetPrelude declares what fragments take for granted: one name for one
// thing on all pages.
const snippetPrelude = `
var (
	ctx     context.Context
	dsn     string // a driver's data source name
	url     string // of a database
	chain   sessionproxy.Chain
	db      *sql.DB
	handle  *sqldb.DB
	pool    *pgxdb.Pool
	eng     *engine.Engine
	s       *orm.Session
	maker   *proxy.Maker
	logger  *slog.Logger
	mux     *http.ServeMux
	w       http.ResponseWriter
	r       *http.Request
	p       *preset.Preset
	tracer  *tracing.Tracing
	retrier *retry.Retry
	brk     *breaker.Breaker
	page    *statusz.Page
	conn    *sql.Conn
	source  pgx.CopyFromSource
	err     error
	e       sptest.Errors
	id      int64

	maintenance    interface{ Load() bool }
	errMaintenance error
	from, to       int64
	amount         int
)

func transfer(ctx context.Context, tx any, from, to int64, amount int) error
`

var snippetFence = regexp.MustCompile("(?ms)^[ \t]*```go\n(.*?)^[ \t]*```")

// TestSnippetsCompile type-checks every Go snippet of README and docs: a whole
// file as it is, a fragment as the body of a function or as declarations.
func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	importing := snippetImporter(t)
	found := 0
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		declared := "" // that the page has declared so far
		for _, m := range snippetFence.FindAllSubmatchIndex(text, -1) {
			found++
			line := bytes.Count(text[:m[2]], []byte("\n")) + 1
			snippet := string(text[m[2]:m[3]])
			for _, problem := range checkSnippet(snippet, declared, importing) {
				t.Errorf("%s:%d: %s", strings.TrimPrefix(page, "../"), line, problem)
			}
			if strings.HasPrefix(snippet, "type ") {
				declared += snippet
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d snippets were found", found)
	}
}

func TestAWrongSnippetIsFound(t *testing.T) {
	t.Parallel()
	importing := snippetImporter(t)
	for snippet, want := range map[string]string{
		"db, err := sqldb.Opens(dsn)":            "Opens",
		"chain := 1\nsqldb.OpenDB(nil, chain)":   "Chain",
		"func f() { nobody() }":                  "nobody",
		"package main\nfunc main() { x := }":     "expected",
		"db, err := sqldb.Open(dsn, dsn, chain)": "",
	} {
		problems := strings.Join(checkSnippet(snippet, "", importing), "; ")
		if (problems == "") != (want == "") || !strings.Contains(problems, want) {
			t.Errorf("%q: %q, want something of %q", snippet, problems, want)
		}
	}
}

// snippetImporter reads what the compiler has exported for the packages.
func snippetImporter(t *testing.T) types.Importer {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}, snippetImports...)
	args = append(args, "modernc.org/sqlite")
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			exports[path] = file
		}
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		file, ok := exports[path]
		if !ok {
			return nil, fmt.Errorf("%s is not among the packages that snippets may import", path)
		}
		return os.Open(file)
	})
}

// checkSnippet returns what is wrong with a snippet. declared are declarations
// that come before it on its page.
func checkSnippet(snippet, declared string, importing types.Importer) (problems []string) {
	set := token.NewFileSet()
	file, err := parseSnippet(set, snippet, declared)
	if err != nil {
		return []string{err.Error()}
	}
	config := types.Config{Importer: importing, Error: func(err error) {
		text := err.Error()
		if e, ok := err.(types.Error); ok {
			text = e.Msg
		}
		// A fragment need not use what it shows.
		if !strings.Contains(text, "and not used") {
			problems = append(problems, text)
		}
	}}
	_, _ = config.Check("snippet", set, []*ast.File{file}, nil)
	return problems
}

func parseSnippet(set *token.FileSet, snippet, declared string) (*ast.File, error) {
	if strings.HasPrefix(strings.TrimSpace(snippet), "package ") {
		return parser.ParseFile(set, "", snippet, parser.SkipObjectResolution)
	}
	var head strings.Builder
	head.WriteString("package snippet\nimport (\n")
	for _, p := range snippetImports {
		name := path.Base(p)
		if p == module || strings.HasSuffix(p, "/v5") {
			name = strings.TrimPrefix(path.Base(strings.TrimSuffix(p, "/v5")), "/")
		}
		if p == "database/sql/driver" {
			name = "driver"
		}
		fmt.Fprintf(&head, "\t%s %q\n", name, p)
	}
	head.WriteString(")\n" + snippetPrelude + declared)
	if strings.HasPrefix(snippet, "type ") || strings.HasPrefix(snippet, "func ") {
		return parser.ParseFile(set, "", head.String()+"\n"+snippet, parser.SkipObjectResolution)
	}
	return parser.ParseFile(set, "", head.String()+"\nfunc _() {\n"+snippet+"\n}\n", parser.SkipObjectResolution)
}
