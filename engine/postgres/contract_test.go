package postgres_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/enginetest"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

// schemas returns a function that gives each test a schema of its own, which
// costs less than a database.
func schemas(t *testing.T, params ...string) func(t testing.TB) string {
	t.Helper()
	d := dbtest.Postgres(t).Database(t)
	e := openURL(t, d.URL())
	var n atomic.Int64
	return func(t testing.TB) string {
		name := "s" + strconv.FormatInt(n.Add(1), 10)
		if _, err := e.Execute(t.Context(), engine.Text("CREATE SCHEMA "+name)); err != nil {
			t.Fatal(err)
		}
		return d.URL(append([]string{"search_path=" + name}, params...)...)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Database{URL: schemas(t)})
}

func TestContractWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Database{URL: schemas(t, "statement_cache=0")})
}
