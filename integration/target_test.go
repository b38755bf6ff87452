package integration_test

import (
	"testing"

	"modernc.org/sqlite"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// TestTheTargetIsThatOfModerncsConnector reads the file's name from a connector
// of the driver, which only its newest versions have.
func TestTheTargetIsThatOfModerncsConnector(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"app.db": "app.db", "/var/data/app.db": "app.db", "file:///var/data/app.db?_pragma=foreign_keys(1)": "app.db", "file:a%20b.db": "a b.db",
		":memory:": ":memory:", "file:cart?mode=memory": "cart", "": "",
	} {
		c, err := sqlite.NewConnector(dsn)
		if err != nil {
			t.Fatal(err)
		}
		db, err := sqldb.Wrap(sqldb.OpenDB(c, sp.NewChain()))
		if err != nil {
			t.Fatal(err)
		}
		if got := db.Target(); got.System != sp.SQLite || got.Namespace != want {
			t.Errorf("%q: %+v", dsn, got)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
