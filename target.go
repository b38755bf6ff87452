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

// Target is the database that calls go to, as far as it is known: a field
// whose value nobody has told is empty, never a guess. It carries no secret.
// Targets are compared with ==. A Target is shared by all calls of a handle
// and must not be changed once in use.
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

// WithIdentity returns the target with an identity, which tells it from others
// of the same name: the list of a cluster's hosts, the path of a file. It is
// compared and never shown.
func (t Target) WithIdentity(id string) Target {
	t.id = id
	return t
}

// handles counts the targets that [Target.Apart] has told from all others.
var handles atomic.Uint64

// Apart returns the target itself if it says which database it is: by a host,
// a namespace or an identity. Otherwise it returns one that equals no other,
// so that handles of which nothing is known share no circuit, no budget and no
// entry of a page.
func (t Target) Apart() Target {
	if t.Host == "" && t.Namespace == "" && t.id == "" {
		t.id = "handle " + strconv.FormatUint(handles.Add(1), 10)
	}
	return t
}

// Key returns what circuits and the like are kept by: the target as it is
// known before the first connection. The systems that share a protocol, of
// which only the server can tell which it is, have the key of one.
func (t Target) Key() Target {
	switch t.System {
	case MariaDB:
		t.System = MySQL
	case CockroachDB:
		t.System = PostgreSQL
	}
	return t
}

// Anonymous returns the target without its user, for what is shared by roles.
func (t Target) Anonymous() Target {
	t.User = ""
	return t
}

// Named returns what telemetry tells of the target: without its user and its
// identity.
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
