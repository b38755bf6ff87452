package dbtest_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// shared lists the servers that tests of both kinds run on.
var shared = map[dbtest.Kind]func(testing.TB) *dbtest.Server{
	dbtest.KindPostgres: dbtest.Postgres,
	dbtest.KindMariaDB:  dbtest.MariaDB,
}

// query runs a statement and fails t if that fails.
func query(t *testing.T, db dbtest.Database, statement string) string {
	t.Helper()
	out, err := db.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDatabasesAreEmptyAndIsolated(t *testing.T) {
	t.Parallel()
	for kind, server := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := server(t)
			one, other := s.Database(t), s.Database(t)
			if one.Name == other.Name {
				t.Fatalf("two databases are called %s", one.Name)
			}
			for i, db := range []dbtest.Database{one, other} {
				query(t, db, "CREATE TABLE t (n int)")
				query(t, db, "INSERT INTO t VALUES (1)")
				if i == 0 {
					query(t, db, "INSERT INTO t VALUES (2)")
				}
			}
			if got := query(t, one, "SELECT n FROM t ORDER BY n"); got != "1\n2" {
				t.Errorf("first database holds %q", got)
			}
			if got := query(t, other, "SELECT n FROM t ORDER BY n"); got != "1" {
				t.Errorf("second database holds %q", got)
			}
		})
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	t.Parallel()
	for kind, server := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			s := server(t)
			var db dbtest.Database
			t.Run("user", func(t *testing.T) {
				db = s.Database(t)
				query(t, db, "SELECT 1")
			})
			list := "SELECT datname FROM pg_database"
			if kind == dbtest.KindMariaDB {
				list = "SHOW DATABASES"
			}
			if names := query(t, s.Admin(), list); strings.Contains(names, db.Name) {
				t.Errorf("%s is still there", db.Name)
			}
		})
	}
}

func TestOneServerForAllTests(t *testing.T) {
	t.Parallel()
	for kind, server := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if first, second := server(t), server(t); first != second {
				t.Errorf("%p and %p are two servers", first, second)
			}
			if got := server(t).Kind(); got != kind {
				t.Errorf("Kind() = %s", got)
			}
		})
	}
}

func TestWrongPasswordIsRefused(t *testing.T) {
	t.Parallel()
	for kind, server := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			db := server(t).Database(t)
			right := db.Password
			db.Password = "wrong"
			_, err := db.Query(t.Context(), "SELECT 1")
			if err == nil {
				t.Fatal("the server takes any password")
			}
			if text := err.Error(); strings.Contains(text, right) || strings.Contains(text, db.URL()) {
				t.Errorf("error shows a secret: %s", text)
			}
		})
	}
}

func TestUserIsNoSuperuser(t *testing.T) {
	t.Parallel()
	forbidden := map[dbtest.Kind]string{
		dbtest.KindPostgres: "ALTER SYSTEM SET work_mem = '4MB'",
		dbtest.KindMariaDB:  "SET GLOBAL max_connections = 10",
	}
	for kind, server := range shared {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if _, err := server(t).Database(t).Query(t.Context(), forbidden[kind]); err == nil {
				t.Error("the user may configure the server")
			}
		})
	}
}
