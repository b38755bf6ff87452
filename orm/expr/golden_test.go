package expr_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/orm/internal/ormtest"
)

var update = flag.Bool("update", false, "write testdata/*.golden instead of comparing with it")

var dialects = map[string]*engine.Dialect{
	"postgresql": {System: sp.PostgreSQL, Placeholder: backend.Dollar, Quote: '"', NativeScan: true, Features: backend.Features{ForUpdate: true, SkipLocked: true}},
	"mariadb":    {System: sp.MariaDB, Placeholder: backend.Question, Quote: '`', Features: backend.Features{ForUpdate: true, Upsert: backend.UpsertOnDuplicateKey}},
	"sqlite":     {System: sp.SQLite, Placeholder: backend.Question, Quote: '"'},
}

// golden is a query whose SQL is kept.
type golden struct {
	name  string
	query engine.Statement
}

// TestTheSQLIsWhatItWas compares the SQL of each form of condition with testdata,
// a file for each database. After a change that is meant, run it with -update and
// read the difference.
func TestTheSQLIsWhatItWas(t *testing.T) {
	t.Parallel()
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, c := range goldens() {
				text, args, err := c.query.Render(d)
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
				fmt.Fprintf(&b, "# %s\n%s\n", c.name, text)
				if len(args) > 0 {
					fmt.Fprintf(&b, "%s\n", listed(args))
				}
			}
			compare(t, filepath.Join("testdata", name+".golden"), b.String())
		})
	}
}

func listed(args []any) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = fmt.Sprintf("%T %v", a, a)
	}
	return "  " + strings.Join(out, ", ")
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	read, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, want := strings.Split(got, "\n"), strings.Split(string(read), "\n")
	for i := range max(len(lines), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(lines) {
			g = lines[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s:%d\n got %s\nwant %s\n(-update writes the file anew)", file, i+1, g, w)
		}
	}
}

// TestDatabasesTakeTheSQL runs every query whose SQL is kept.
func TestDatabasesTakeTheSQL(t *testing.T) {
	onEach(t, func(t *testing.T, eng *engine.Engine) {
		s := ormtest.Session(t, eng)
		for _, c := range goldens() {
			if _, err := s.Execute(t.Context(), c.query); err != nil {
				t.Errorf("%s: %v", c.name, err)
				ormtest.Check(t, s.Rollback(t.Context()))
			}
		}
	})
}
