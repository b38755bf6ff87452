package dbtest_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// envVictim tells [TestVictim], in a process of its own, how to end.
const envVictim = "DBTEST_VICTIM"

// TestVictim is no test: it starts servers, prints where they are, and ends in
// a way that leaves no time to clean up.
func TestVictim(t *testing.T) {
	how := os.Getenv(envVictim)
	if how == "" {
		t.Skip("runs only as the child of TestNothingOutlivesTests")
	}
	for kind := range shared {
		s := dbtest.Private(t, kind)
		fmt.Printf("\nserver %s\n", s.Admin().Socket)
		if how == "killed while servers are paused" {
			must(t, s.Pause())
		}
	}
	switch how {
	case "panic":
		go panic("as told")
		select {}
	case "exit":
		os.Exit(3)
	default:
		must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
}

func TestNothingOutlivesTests(t *testing.T) {
	t.Parallel()
	for kind := range shared {
		dbtest.Private(t, kind) // skips here where servers are missing
	}
	for _, how := range []string{"panic", "exit", "killed", "killed while servers are paused"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			out, err := child(t, "^TestVictim$", envVictim+"="+how)
			if err == nil {
				t.Errorf("the child did not end badly: %s", out)
			}
			servers := 0
			for line := range strings.Lines(out) {
				socket, ok := strings.CutPrefix(strings.TrimSpace(line), "server ")
				if !ok {
					continue
				}
				servers++
				disappears(t, filepath.Dir(filepath.Dir(socket)))
				if c, err := net.Dial("unix", socket); err == nil {
					_ = c.Close()
					t.Errorf("%s takes connections", socket)
				}
			}
			if servers != len(shared) {
				t.Errorf("%d servers were started: %s", servers, out)
			}
		})
	}
}

func TestServerFromEnvironment(t *testing.T) {
	t.Parallel()
	for kind, dsn := range map[dbtest.Kind]func(dbtest.Database) string{
		dbtest.KindPostgres: func(db dbtest.Database) string {
			return envOf(dbtest.KindPostgres) + "=" + db.URL("application_name=env")
		},
		dbtest.KindMariaDB: func(db dbtest.Database) string { return envOf(dbtest.KindMariaDB) + "=" + db.DSN("x=y") },
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := dbtest.Private(t, kind)
			out, err := child(t, "^TestDatabasesAreEmptyAndIsolated$/^"+string(kind)+"$", dsn(s.Admin()), "CI=true")
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			must(t, s.Kill())
			out, err = child(t, "^TestDatabasesAreEmptyAndIsolated$/^"+string(kind)+"$", dsn(s.Admin()), "CI=true")
			if err == nil {
				t.Errorf("the tests did not use the server that the environment names: %s", out)
			}
			if password := url.QueryEscape(s.Admin().Password); strings.Contains(out, password) {
				t.Errorf("the failure shows the password: %s", out)
			}
		})
	}
}

func envOf(kind dbtest.Kind) string {
	return map[dbtest.Kind]string{
		dbtest.KindPostgres: "SESSIONPROXY_POSTGRES_URL", dbtest.KindMariaDB: "SESSIONPROXY_MARIADB_DSN",
	}[kind]
}

// child runs tests of this binary in a process of its own.
func child(t *testing.T, run string, env ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run="+run, "-test.v")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// disappears waits until nothing has the path: a process that nobody can wait
// for removes it.
func disappears(t *testing.T, path string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("%s is still there", path)
		}
	}
}
