package sessionproxy

import (
	"strconv"
	"sync/atomic"
)

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

// Target is the database that calls go to, as far as it is known: unknown
// fields are empty, never a guess. It contains no secrets. Targets are compared
// with ==. A Target is shared by all calls of a handle and must not be changed
// once in use.
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

	id string // see WithIdentity
}

// WithIdentity returns the target with an identity, which distinguishes it from
// others with the same name: the list of a cluster's hosts, the path of a file.
// It is compared and never shown.
func (t Target) WithIdentity(id string) Target {
	t.id = id
	return t
}

// handles counts the targets that [Target.Apart] has told from all others.
var handles atomic.Uint64

// Apart returns the target itself if it says which database it is: by a host,
// a namespace or an identity. Otherwise it returns one that equals no other, so
// that handles whose database is unknown share no circuit, budget or entry on a
// live page.
func (t Target) Apart() Target {
	if t.Host == "" && t.Namespace == "" && t.id == "" {
		t.id = "handle " + strconv.FormatUint(handles.Add(1), 10)
	}
	return t
}

// Key returns the key for state that is kept per database, such as circuits:
// the target as it is known before the first connection. Systems that share a
// protocol, so that only the server can say which one it is, have the same key.
func (t Target) Key() Target {
	switch t.System {
	case MariaDB:
		t.System = MySQL
	case CockroachDB:
		t.System = PostgreSQL
	}
	return t
}

// Anonymous returns the target without its user, for state that roles share.
func (t Target) Anonymous() Target {
	t.User = ""
	return t
}

// Named returns the target for telemetry, without its user and its identity.
func (t Target) Named() Target {
	t.User, t.id = "", ""
	return t
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
