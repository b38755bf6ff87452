package suites_test

import (
	"embed"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// sources are the parts of a workspace that are ours.
//
//go:embed testdata
var sources embed.FS

// workspace is a temporary folder in which a suite is built: a copy of its
// module, this repository, and what puts the one under the other.
type workspace struct {
	dir   string // of go.work
	suite string // of the copied module
}

// goroot is where Go is, which a test built with -trimpath does not know.
func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// newWorkspace copies a module of integration's go.mod. An empty path stands
// for the standard library, which is not copied but overlaid.
func newWorkspace(t *testing.T, module string) workspace {
	t.Helper()
	w := workspace{dir: t.TempDir()}
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	uses := []string{repo, filepath.Join(repo, "integration"), filepath.Join(w.dir, "under")}
	if module == "" {
		w.suite = goroot(t)
	} else {
		w.suite = filepath.Join(w.dir, "suite")
		if err := os.CopyFS(w.suite, os.DirFS(moduleDir(t, module))); err != nil {
			t.Fatal(err)
		}
		writable(t, w.suite)
		uses = append(uses, w.suite)
	}
	w.write(t, "go.work", "go "+strings.TrimPrefix(runtime.Version(), "go")+"\n\nuse (\n\t"+strings.Join(uses, "\n\t")+"\n)\n")
	w.write(t, "under/go.mod", "module suites.test/under\n\ngo 1.26.0\n")
	return w
}

// version is that of a module, or of Go.
func version(t *testing.T, module string) string {
	t.Helper()
	if module == "" {
		return runtime.Version()
	}
	_, v, _ := strings.Cut(moduleDir(t, module), "@")
	return v
}

// moduleDir is where the module cache has a module, of the version in go.mod.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, out)
	}
	var found struct {
		Dir string `json:"Dir"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	return found.Dir
}

// writable lets the owner write to what was copied from a module cache.
func writable(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Chmod(path, 0o755)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode()|0o200)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file of the workspace.
func (w workspace) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// source is a file of testdata.
func source(t *testing.T, name string) string {
	t.Helper()
	text, err := sources.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edit replaces parts of a file's text, each of which it has to have.
func edit(t *testing.T, path string, oldNew ...string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(s, oldNew[i]) {
			t.Fatalf("%s has no %q any more", path, oldNew[i])
		}
		s = strings.ReplaceAll(s, oldNew[i], oldNew[i+1])
	}
	return s
}

// overlaySQL puts a hook into database/sql, and returns the overlay's name.
// Its own tests look at the driver's connections: they look through ours.
func (w workspace) overlaySQL(t *testing.T, more map[string]string) string {
	t.Helper()
	std := filepath.Join(goroot(t), "src", "database", "sql")
	file := func(name string) string { return filepath.Join(std, name) }
	replace := map[string]string{
		file("sql.go"): w.write(t, "overlay/sql.go", edit(t, file("sql.go"),
			"func OpenDB(c driver.Connector) *DB {", "func OpenDB(c driver.Connector) *DB {\n\tif OpenDBHook != nil {\n\t\treturn OpenDBHook(c)\n\t}\n\treturn openDB(c)\n}\n\nfunc openDB(c driver.Connector) *DB {",
			"err = f(dc.ci)", "err = f(driversOwn(dc.ci))")),
		file("hook.go"): w.write(t, "overlay/hook.go", source(t, "hook.go.txt")),
		file("sql_test.go"): w.write(t, "overlay/sql_test.go", edit(t, file("sql_test.go"),
			"db.freeConn[0].ci.(*fakeConn)", "driversOwn(db.freeConn[0].ci).(*fakeConn)",
			"c.dc.ci.(*fakeConn).waiter", "driversOwn(c.dc.ci).(*fakeConn).waiter",
			"tx.dc.ci.(*fakeConn).waiter", "driversOwn(tx.dc.ci).(*fakeConn).waiter",
			"conn.dc.ci.(*fakeConn)", "driversOwn(conn.dc.ci).(*fakeConn)",
			"conn.ci.(*fakeConn)", "driversOwn(conn.ci).(*fakeConn)",
			"conn.dc.ci.(*ctxOnlyConn)", "driversOwn(conn.dc.ci).(*ctxOnlyConn)",
			"tx.txi.(*fakeTx).c.", "driversOwn(tx.dc.ci).(*fakeConn).")),
	}
	maps.Copy(replace, more)
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	return w.write(t, "overlay.json", string(text))
}

// build compiles a package's tests, with flags, in the workspace.
func (w workspace) build(t *testing.T, name, pkg string, flags ...string) string {
	t.Helper()
	out := filepath.Join(w.dir, name+".test")
	args := append([]string{"test", "-c", "-vet=off", "-o", out}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, pkg)...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(w.dir, "go.work"), "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, tail(string(text), 40))
	}
	return out
}

// tail is the end of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
