package sessionproxy

import "strconv"

// System names a database management system, in the values of
// OpenTelemetry's attribute db.system.name.
type System string

// The systems this library knows.
const (
	// PostgreSQL is the PostgreSQL server and what speaks its dialect.
	PostgreSQL System = "postgresql"
	// MySQL is Oracle's MySQL.
	MySQL System = "mysql"
	// MariaDB is the MariaDB server.
	MariaDB System = "mariadb"
	// SQLite is the embedded SQLite.
	SQLite System = "sqlite"
	// CockroachDB is CockroachDB.
	CockroachDB System = "cockroachdb"
	// OtherSQL is any other SQL database.
	OtherSQL System = "other_sql"
)

// DefaultPort returns the port on which the system listens unless told
// otherwise; 0 for one without a port.
func (s System) DefaultPort() int {
	switch s {
	case PostgreSQL:
		return 5432
	case CockroachDB:
		return 26257
	case MySQL, MariaDB:
		return 3306
	default:
		return 0
	}
}

// Anonymous returns the target without its user, for what is shared by roles.
func (t Target) Anonymous() Target {
	t.User = ""
	return t
}

// Target is the database that calls go to. It carries no secret. A Target is
// shared by all calls of a handle and must not be changed once in use.
type Target struct {
	// System is the database management system.
	System System
	// Host is the server's name, address or socket path as configured; empty
	// for an embedded database.
	Host string
	// Port is the server's port; 0 when there is none.
	Port int
	// Namespace is the database, with its schema as "database|schema" where
	// both are known; a file name without folders for SQLite.
	Namespace string
	// User is the role that connects. The shipped interceptors never record it.
	User string
}

// String returns "system://host:port/namespace", without user or password,
// leaving out what is not known.
func (t *Target) String() string {
	if t == nil {
		return string(OtherSQL)
	}
	s := string(t.System)
	if t.Host != "" {
		s += "://" + t.Host
		if t.Port != 0 {
			s += ":" + strconv.Itoa(t.Port)
		}
	}
	if t.Namespace != "" {
		s += "/" + t.Namespace
	}
	return s
}
