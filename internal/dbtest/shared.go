package dbtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// The servers that the tests of this binary share.
var (
	sharedPostgres = sync.OnceValues(func() (*Server, error) { return share(postgres{}) })
	sharedMariaDB  = sync.OnceValues(func() (*Server, error) { return share(mariadb{}) })
)

// share returns the server that the environment names, or starts one.
func share(f flavor) (*Server, error) {
	if s, ok, err := external(f); ok {
		return s, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	in, err := newInstance(ctx, f, nil)
	if err != nil {
		return nil, err
	}
	if err := in.start(ctx); err != nil {
		return nil, err
	}
	return in.server(), nil
}

// Postgres returns the PostgreSQL server of this test binary, and starts it if
// t is the first to ask. It skips or fails t if there can't be one.
func Postgres(t testing.TB) *Server {
	t.Helper()
	return need(t, sharedPostgres)
}

// MariaDB returns the MariaDB server of this test binary, and starts it if t is
// the first to ask. It skips or fails t if there can't be one.
func MariaDB(t testing.TB) *Server {
	t.Helper()
	return need(t, sharedMariaDB)
}

func need(t testing.TB, get func() (*Server, error)) *Server {
	t.Helper()
	s, err := get()
	if err != nil {
		unavailable(t, err)
	}
	return s
}

// SQLite returns the path of a database file that does not exist yet, in a
// folder that is removed when t ends.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "test.db")
}

// TestingM is what [testing.M] has, and what goleak.VerifyTestMain takes.
type TestingM interface {
	// Run runs the tests and returns the code to exit with.
	Run() int
}

// Main runs the tests of m, then ends every server of this binary and waits
// until nothing is left of them. It returns the code to exit with, which is not
// zero if something is left.
func Main(m TestingM) int { return Runner(m).Run() }

// Runner returns m with the work of [Main] added, for those who have more to
// do: goleak.VerifyTestMain(dbtest.Runner(m)).
func Runner(m TestingM) TestingM { return runner{m} }

type runner struct{ tests TestingM }

// Run implements [TestingM].
func (r runner) Run() int {
	code := r.tests.Run()
	if err := base.leave(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}
