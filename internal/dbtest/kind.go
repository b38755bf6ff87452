package dbtest

// Kind is a kind of server.
type Kind string

// The kinds of server that this package can start. Their values are those of
// OpenTelemetry's attribute db.system.name.
const (
	// KindPostgres is PostgreSQL.
	KindPostgres Kind = "postgresql"
	// KindMariaDB is MariaDB.
	KindMariaDB Kind = "mariadb"
)
