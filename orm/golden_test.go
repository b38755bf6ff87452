package orm_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/orm"
)

var update = flag.Bool("update", false, "write testdata/*.golden instead of comparing with it")

// transcript is an interceptor that writes down each call that reaches the
// database, with its whole text.
type transcript struct {
	mu    sync.Mutex
	lines []string
}

func (r *transcript) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Level == sp.LevelStatement && call.Op != sp.OpConnect && call.Op != sp.OpAcquire && call.Op != sp.OpRelease {
			line := call.Op.String()
			if call.BatchSize > 0 {
				line += fmt.Sprint(" of ", call.BatchSize)
			}
			if call.Text != "" {
				line += ": " + short(strings.Join(strings.Fields(call.Text), " "))
			}
			r.mu.Lock()
			r.lines = append(r.lines, line)
			r.mu.Unlock()
		}
		return next(ctx, call)
	}
}

// repeated is a row of VALUES behind another one.
var repeated = regexp.MustCompile(`(?:, \((?:(?:\$\d+|\?)(?:, )?)+\)){3,}`)

// short counts the rows of VALUES instead of showing all of them.
func short(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(rows string) string {
		return fmt.Sprintf(" and %d more", strings.Count(rows, "("))
	})
}

// take returns what was written down since the last time.
func (r *transcript) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := r.lines
	r.lines = nil
	return lines
}

// goldenCase is an operation whose SQL is kept: what ready returns is written
// down, ready itself is not.
type goldenCase struct {
	name  string
	ready func(ctx context.Context, s *orm.Session) (func() error, error)
}

// TestTheSQLIsWhatItWas compares the calls that each kind of operation makes
// with testdata, a file for each database. After a change that is meant, run it
// with -update and read the difference.
func TestTheSQLIsWhatItWas(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":     func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/golden.db" },
		"postgresql": func(t *testing.T) string { return dbtest.Postgres(t).Database(t).URL() },
		"mariadb":    func(t *testing.T) string { return dbtest.MariaDB(t).Database(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := record(t, url(t))
			file := filepath.Join("testdata", name+".golden")
			if *update {
				check(t, os.WriteFile(file, got, 0o600))
				return
			}
			want := must(os.ReadFile(file))
			if bytes.Equal(got, want) {
				return
			}
			differ(t, file, strings.Split(string(got), "\n"), strings.Split(string(want), "\n"))
		})
	}
}

// differ shows the first line that differs, and under which heading it stands.
func differ(t *testing.T, file string, got, want []string) {
	t.Helper()
	heading := ""
	for i := range max(len(got), len(want)) {
		g, w := "(nothing)", "(nothing)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if strings.HasPrefix(w, "# ") {
			heading = w
		}
		if g != w {
			t.Errorf("%s:%d, %s\n got %s\nwant %s\n(-update writes the file anew)", file, i+1, heading, g, w)
			return
		}
	}
}

// record runs all cases, each in a transaction that is rolled back unless it
// ends it.
func record(t *testing.T, url string) []byte {
	t.Helper()
	rec := &transcript{}
	eng, err := engine.Open(t.Context(), url, engine.WithChain(sp.NewChain(rec)))
	check(t, err)
	t.Cleanup(func() { check(t, eng.Dispose()) })
	for _, text := range schema[eng.Dialect().System] {
		check(t, second(eng.Execute(t.Context(), engine.Text(text))))
	}
	check(t, orm.CreateAll(t.Context(), eng, (*Author)(nil), (*Profile)(nil), (*Book)(nil), (*Draft)(nil), (*Tag)(nil), (*Worker)(nil)))
	var out bytes.Buffer
	for _, c := range goldenCases() {
		s := orm.NewSession(eng, orm.WithoutExpireOnCommit())
		run, err := c.ready(t.Context(), s)
		check(t, err)
		rec.take()
		err = run()
		lines := rec.take()
		fmt.Fprintf(&out, "# %s: %d calls\n", c.name, len(lines))
		for _, line := range lines {
			fmt.Fprintf(&out, "%s\n", line)
		}
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
		out.WriteString("\n")
		check(t, s.Rollback(t.Context()), s.Close(t.Context()))
	}
	return out.Bytes()
}
