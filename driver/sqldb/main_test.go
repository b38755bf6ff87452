package sqldb_test

import (
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's driver of PostgreSQL

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// postgresURL is the data source name of an empty database.
func postgresURL(t *testing.T) string {
	t.Helper()
	return dbtest.Postgres(t).Database(t).URL()
}

// openPostgres opens a handle on an empty database.
func openPostgres(t *testing.T, links ...sp.Interceptor) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open("pgx", postgresURL(t), sp.NewChain(links...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return wrap(t, db)
}
