package integration_test

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// fileNames are data source names of SQLite; {} is a folder.
var fileNames = func() []string {
	names := []string{
		"app.db", "./app.db", "{}/app.db", "{}/sub/../app.db", "{}/sub/app.db", "app.db?_pragma=foreign_keys(1)", "app.db?mode=memory", "app.db?cache=shared",
		"app.db?x=/y", "?a=b", "file:app.db", "file:./app.db", "file:{}/app.db", "file://{}/app.db", "file://localhost{}/app.db?mode=rwc", "file:a%20b.db",
		"a%20b.db", "file:100%.db", "file:a%2Fb.db", "file:sub%2Fapp.db", "file:a%zz%20b.db", "file:a%00b.db", "file:app.db#fragment", "file:app.db#frag?mode=memory",
		"file:app.db?mode=rwc#frag", "app.db#fragment", "file:app.db?mode=rwc&cache=private", "file:app.db?%6Dode=memory", "file:app.db?mode=memor%79", "FILE:app.db",
		"file:app.db?mode=rwc&mode=memory", "file:app.db?cache=shared", "", ":memory:", ":memory:?cache=shared", "file::memory:", "file::memory:?cache=shared",
		"file:%3Amemory%3A", "file:cart?mode=memory", "file:cart?mode=memory&cache=shared", "file:/cart?mode=memory&cache=shared", "file:?cache=shared", "file:",
		"file:?mode=memory", "file:?mode=memory&cache=shared", "file:cart?vfs=memdb", "file:/cart?vfs=memdb", "/cart?vfs=memdb", "cart?vfs=memdb",
		"file:/cart?vfs=memdb&cache=private", "file://elsewhere/app.db", "file://localhost", "app.db?_busy_timeout=1&_journal_mode=WAL", "file:app.db?immutable=1",
	}
	for _, c := range []string{"+", "-", "_", "~", "!", "$", "*", "(", ";", "=", "é", " ", "'", "\"", "&", "@", ":", `\`} {
		names = append(names, "s"+c+"h.db", "file:s"+c+"h.db?mode=rwc")
	}
	return names
}()

// TestTheTargetIsTheFileThatSQLiteOpens compares with the file that the driver says
// it has open, and databases in memory by what two handles see of each other.
func TestTheTargetIsTheFileThatSQLiteOpens(t *testing.T) {
	for _, driver := range []string{"sqlite", "sqlite3"} {
		t.Run(driver, func(t *testing.T) {
			compared := 0
			for _, name := range fileNames {
				folder := must(filepath.EvalSymlinks(t.TempDir()))
				t.Chdir(folder)
				if err := os.MkdirAll("sub", 0o700); err != nil {
					t.Fatal(err)
				}
				dsn := strings.ReplaceAll(name, "{}", folder)
				file, joint, ok := opens(t, driver, dsn)
				if !ok {
					continue
				}
				compared++
				a, b := sqldb.ParseTarget(driver, dsn), sqldb.ParseTarget(driver, dsn)
				if a.System != sp.SQLite || a.Host != "" || a.User != "" {
					t.Errorf("%q: %+v", name, a)
				}
				if file != "" && (a.Namespace != filepath.Base(file) || a != sqldb.ParseTarget(driver, (&url.URL{Scheme: "file", Path: file}).String())) {
					t.Errorf("%q: target %+v, SQLite opens %s", name, a, file)
				}
				if one := a == b; one != joint {
					t.Errorf("%q: two handles have one target: %v; one database: %v", name, one, joint)
				}
			}
			if compared < 60 {
				t.Errorf("the driver takes %d of the names", compared)
			}
		})
	}
}

// opens opens a name twice with the driver alone. It returns the file, "" for a
// database that has none, and whether both are one database.
func opens(t *testing.T, driver, dsn string) (file string, joint, ok bool) {
	t.Helper()
	var conns [2]*sql.Conn
	for i := range conns {
		db := must(sql.Open(driver, dsn))
		defer db.Close()
		conn, err := db.Conn(context.Background())
		if err != nil {
			return "", false, false
		}
		defer conn.Close()
		conns[i] = conn
	}
	if _, err := conns[0].ExecContext(t.Context(), "CREATE TABLE seen (id INT)"); err != nil {
		return "", false, false
	}
	var tables int
	if err := conns[1].QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_master WHERE name = 'seen'").Scan(&tables); err != nil {
		t.Fatalf("%q: %v", dsn, err)
	}
	var id int
	var schema string
	if err := conns[0].QueryRowContext(t.Context(), "PRAGMA database_list").Scan(&id, &schema, &file); err != nil {
		t.Fatalf("%q: %v", dsn, err)
	}
	return file, tables == 1, true
}
