package mysql_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/engine/enginetest"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

func TestContract(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Database{
		URL: func(t testing.TB) string { return dbtest.MariaDB(t).Database(t).URL() },
	})
}
