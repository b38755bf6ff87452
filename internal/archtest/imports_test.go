package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sessionproxy/sessionproxy"

// rule is what a package may import besides the standard library: packages of
// the module, by their path in it, and prefixes of others.
type rule struct{ own, foreign []string }

const (
	otel = "go.opentelemetry.io/otel"
	pgx  = "github.com/jackc/pgx/v5"
)

var interceptor = rule{own: []string{"", "fault", "internal/admission", "internal/latency", "internal/memory", "internal/permits", "internal/sqltext", "internal/telemetry"}, foreign: []string{otel}}

// floors is the table of docs/design.md. The root package is "".
var floors = map[string]rule{
	"":                           {own: []string{"fault"}},
	"attach":                     {own: []string{"", "fault"}},
	"fault":                      {own: []string{"fault/internal/shape"}},
	"fault/integrity":            {own: []string{"fault", "fault/internal/shape"}},
	"fault/internal/shape":       {},
	"internal/memory":            {},
	"internal/sqltext":           {own: []string{"internal/memory"}},
	"internal/telemetry":         {own: []string{"", "fault", "internal/sqltext"}, foreign: []string{otel}},
	"internal/latency":           {own: []string{"", "internal/sqltext", "internal/telemetry"}},
	"internal/admission":         {own: []string{"", "fault"}, foreign: []string{otel}},
	"internal/permits":           {own: []string{""}},
	"internal/linktest":          {own: []string{"", "attach", "fault"}, foreign: []string{otel, "pgregory.net/rapid"}},
	"internal/unit":              {own: []string{"", "attach", "fault", "internal/sqltext"}},
	"internal/alloctest":         {},
	"internal/dbname":            {own: []string{"", "fault"}},
	"internal/dbtest":            {},
	"internal/faultproxy":        {},
	"internal/pgscript":          {foreign: []string{pgx}},
	"internal/mysqlscript":       {},
	"internal/archtest":          {},
	"internal/simulation":        {own: []string{"", "attach", "fault"}, foreign: []string{pgx}},
	"cluster":                    {own: []string{"", "fault", "internal/sqltext"}},
	"driver/sqldb":               {own: []string{"", "attach", "fault", "internal/dbname", "internal/sqltext", "internal/unit"}, foreign: []string{"github.com/ngrok/sqlmw"}},
	"driver/pgxdb":               {own: []string{"", "attach", "cluster", "fault", "internal/dbname", "internal/sqltext", "internal/unit"}, foreign: []string{pgx}},
	"orm":                        {own: []string{"", "attach", "fault", "engine", "orm/mapping", "orm/internal/identity", "orm/expr", "orm/internal/dml", "orm/internal/query", "orm/internal/term", "orm/internal/schema", "orm/internal/cascade", "orm/internal/flush", "orm/internal/load", "orm/internal/merge", "orm/event", "orm/inspect", "internal/memory"}},
	"orm/event":                  {own: []string{"engine"}},
	"orm/inspect":                {},
	"orm/internal/identity":      {own: []string{"orm/mapping", "internal/memory"}},
	"orm/internal/dml":           {own: []string{"engine", "engine/backend", "engine/scan", "orm/mapping", "internal/memory"}},
	"orm/internal/depgraph":      {own: []string{"orm/mapping"}},
	"orm/internal/dependency":    {own: []string{"orm/internal/identity", "orm/mapping", "internal/memory"}},
	"orm/internal/cascade":       {own: []string{"orm/internal/identity", "orm/mapping", "internal/memory"}},
	"orm/internal/merge":         {own: []string{"orm/internal/identity", "orm/mapping", "internal/memory"}},
	"orm/internal/query":         {own: []string{"engine", "engine/backend", "orm/internal/dml", "orm/internal/term", "orm/mapping", "internal/memory"}},
	"orm/internal/term":          {own: []string{"engine", "engine/backend", "orm/internal/dml", "orm/mapping", "internal/memory"}},
	"orm/expr":                   {own: []string{"orm/internal/term", "internal/memory"}},
	"orm/rows":                   {own: []string{"engine", "orm", "orm/expr", "orm/internal/load", "orm/internal/query", "orm/internal/term", "orm/mapping", "internal/memory"}},
	"orm/internal/ormtest":       {own: []string{"", "engine", "engine/mysql", "engine/postgres", "engine/sqlite", "internal/dbtest", "orm"}},
	"orm/internal/schema":        {own: []string{"engine", "orm/internal/dml", "orm/internal/depgraph", "orm/mapping"}},
	"orm/internal/flush":         {own: []string{"", "fault/integrity", "engine", "engine/scan", "orm/internal/identity", "orm/internal/dependency", "orm/internal/depgraph", "orm/internal/dml", "orm/mapping", "internal/memory"}},
	"orm/internal/load":          {own: []string{"engine", "engine/scan", "orm/internal/identity", "orm/internal/dml", "orm/internal/query", "orm/mapping", "internal/memory"}},
	"orm/mapping":                {own: []string{"engine/scan"}},
	"proxy":                      {own: []string{"", "engine", "orm", "orm/event", "orm/inspect", "orm/rows", "proxy/internal/queue", "proxy/internal/stream"}, foreign: []string{otel}},
	"proxy/internal/queue":       {},
	"proxy/internal/stream":      {own: []string{"engine", "proxy/internal/queue"}},
	"proxy/httpscope":            {own: []string{"", "engine", "orm", "proxy"}},
	"engine":                     {own: []string{"", "attach", "fault", "fault/integrity", "internal/sqltext", "engine/backend", "engine/internal/echo", "engine/internal/raw", "engine/scan"}},
	"engine/internal/echo":       {own: []string{"", "fault", "internal/sqltext"}},
	"engine/backend":             {own: []string{"", "fault"}},
	"engine/scan":                {own: []string{"engine/internal/raw"}},
	"engine/internal/raw":        {own: []string{"internal/memory"}},
	"engine/internal/assign":     {own: []string{"engine/scan"}},
	"engine/internal/stmtcache":  {},
	"engine/internal/gate":       {own: []string{"", "fault", "engine/backend"}},
	"engine/internal/sqlbackend": {own: []string{"", "fault", "engine/backend", "engine/internal/assign", "engine/internal/gate", "engine/scan", "driver/sqldb"}},
	"engine/sqlite":              {own: []string{"", "engine/backend", "engine/internal/sqlbackend", "engine/internal/stmtcache", "internal/dbname"}, foreign: []string{"modernc.org/sqlite"}},
	"engine/mysql":               {own: []string{"", "engine/backend", "engine/internal/sqlbackend", "engine/internal/stmtcache"}, foreign: []string{"github.com/go-sql-driver/mysql"}},
	"engine/postgres":            {own: []string{"", "engine/backend", "engine/internal/assign", "engine/internal/gate", "engine/internal/raw", "engine/scan", "driver/pgxdb", "internal/dbname", "internal/memory"}, foreign: []string{pgx}},
	"engine/enginetest":          {own: []string{"", "fault", "fault/integrity", "engine", "engine/scan"}},
	"tracing":                    interceptor,
	"retry":                      interceptor,
	"middleware":                 {},
	"middleware/limit":           interceptor,
	"middleware/adaptivelimit":   interceptor,
	"middleware/ratelimit":       interceptor,
	"middleware/throttle":        interceptor,
	"middleware/hedge":           interceptor,
	"middleware/timeout":         interceptor,
	"middleware/logging":         interceptor,
	"middleware/slowquery":       interceptor,
	"middleware/recovery":        interceptor,
	"middleware/nplusone":        interceptor,
	"middleware/profile":         interceptor,
	"middleware/readonly":        interceptor,
	"middleware/sqlcomment":      interceptor,
	"middleware/statusz":         interceptor,
	"preset": {own: []string{
		"", "breaker", "middleware/adaptivelimit", "middleware/hedge", "middleware/limit", "middleware/logging", "middleware/recovery",
		"middleware/slowquery", "middleware/statusz", "middleware/throttle", "middleware/timeout", "retry", "tracing",
	}, foreign: []string{otel}},
	"sptest":                    {own: []string{"", "attach", "fault", "internal/sqltext"}, foreign: []string{otel}},
	"sptest/internal/pgprovoke": {own: []string{"internal/pgscript", "sptest"}, foreign: []string{pgx}},
	"sptest/pgxfaults":          {own: []string{"sptest", "sptest/internal/pgprovoke"}, foreign: []string{pgx}},
	"sptest/pqfaults":           {own: []string{"sptest", "sptest/internal/pgprovoke"}, foreign: []string{"github.com/lib/pq"}},
	"sptest/mysqlfaults":        {own: []string{"sptest", "internal/mysqlscript"}, foreign: []string{"github.com/go-sql-driver/mysql"}},
	"sptest/sqlitefaults":       {own: []string{"sptest", "fault"}, foreign: []string{"modernc.org/sqlite"}},
	"breaker":                   {own: interceptor.own, foreign: []string{otel, "github.com/sony/gobreaker/v2"}},
}

// notTheSDK is never imported by the root module: users bring it.
const notTheSDK = otel + "/sdk"

type goPackage struct {
	ImportPath   string   `json:"ImportPath"`
	Imports      []string `json:"Imports"`
	TestImports  []string `json:"TestImports"`
	XTestImports []string `json:"XTestImports"`
}

// onSQLite are the packages whose tests may import SQLite. What the tests of a
// package import is in the go.sum of every program that imports the package: of
// SQLite that is 20 lines.
var onSQLite = []string{"engine/scan"}

func TestFewTestsImportSQLite(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		imports := slices.Contains(append(p.TestImports, p.XTestImports...), "modernc.org/sqlite")
		if imports != slices.Contains(onSQLite, name) {
			t.Errorf("tests of %s import SQLite: %t", p.ImportPath, imports)
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		rule, ok := floors[name]
		if !ok {
			t.Errorf("%s has no floor: add it to docs/design.md and to this test", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !rule.allows(imported) {
				t.Errorf("%s imports %s, which its floor does not allow", p.ImportPath, imported)
			}
		}
	}
}

func (r rule) allows(path string) bool {
	if own, ok := strings.CutPrefix(path, module); ok {
		for _, o := range r.own {
			if strings.TrimPrefix(own, "/") == o {
				return true
			}
		}
		return false
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	if strings.HasPrefix(path, notTheSDK) {
		return false
	}
	for _, f := range r.foreign {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}

func packages(t *testing.T) (out []goPackage) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(printed))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
}
