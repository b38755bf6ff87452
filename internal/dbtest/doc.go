// Package dbtest gives tests real databases: private PostgreSQL and MariaDB
// servers, started from the binaries that the machine has, and SQLite files.
//
//	func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }
//
//	func TestInsert(t *testing.T) {
//		db := dbtest.Postgres(t).Database(t) // an empty database for this test
//		pool, err := pgxpool.New(t.Context(), db.URL())
//		…
//	}
//
// [Postgres] and [MariaDB] share one server among the tests of a binary and
// start it when the first one asks. [Private] starts one for a single test,
// which may then kill, pause and restart it. [Borrow] is for programs that are
// no tests. [PgBouncer] puts a pooler in front of a database of PostgreSQL.
//
// Servers listen on 127.0.0.1 and on a Unix socket, ask for a password, and
// keep everything in one temporary folder. When root runs the tests, they run
// as an unprivileged user. They are tuned for speed: nothing is synced to disk,
// yet what a transaction committed survives the death of the server (not of
// the machine).
//
// Nothing outlives the test binary, however it ends: a watchdog process waits
// for its end, kills what is left and removes the folder. [Main] merely waits
// for that to be done.
//
// SESSIONPROXY_POSTGRES_URL and SESSIONPROXY_MARIADB_DSN name servers to use
// in place of the shared ones; databases are still made afresh.
// SESSIONPROXY_POSTGRES_BIN is the folder of the PostgreSQL to start, if it is not
// the newest that is installed. Private servers need Linux. Where binaries are missing, a test is skipped, unless CI or
// SESSIONPROXY_REQUIRE_SERVERS is set: then it fails.
//
// The package imports the standard library alone. What it needs to know of a
// server it asks the server's own client, which a test may use as well
// ([Database.Query]) as a witness that shares no code with what is tested.
package dbtest
