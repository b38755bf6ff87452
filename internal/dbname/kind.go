package dbname

import (
	"reflect"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
)

// kind is a driver whose connectors, names and connections are known.
type kind uint8

const (
	other  kind = iota
	pgx         // github.com/jackc/pgx/…/stdlib
	pq          // github.com/lib/pq
	bunPG       // github.com/uptrace/bun/driver/pgdriver
	mysql       // github.com/go-sql-driver/mysql
	sqlite      // modernc.org/sqlite, github.com/mattn/go-sqlite3 and their like
)

// packages are the drivers by the path of their package.
var packages = []knownPackage{
	{"github.com/jackc/pgx", pgx, sp.PostgreSQL},
	{"github.com/lib/pq", pq, sp.PostgreSQL},
	{"github.com/uptrace/bun/driver/pgdriver", bunPG, sp.PostgreSQL},
	{"github.com/go-sql-driver/mysql", mysql, sp.MySQL},
	{"modernc.org/sqlite", sqlite, sp.SQLite},
	{"github.com/mattn/go-sqlite3", sqlite, sp.SQLite},
	{"github.com/glebarez/go-sqlite", sqlite, sp.SQLite},
	{"github.com/ncruces/go-sqlite3", sqlite, sp.SQLite},
	// Of these the system alone is known, by its name in the conventions.
	{"github.com/microsoft/go-mssqldb", other, "microsoft.sql_server"},
	{"github.com/denisenkom/go-mssqldb", other, "microsoft.sql_server"},
	{"github.com/ClickHouse/clickhouse-go", other, "clickhouse"},
	{"github.com/godror/godror", other, "oracle.db"},
	{"github.com/sijms/go-ora", other, "oracle.db"},
	{"github.com/trinodb/trino-go-client", other, "trino"},
	{"github.com/googleapis/go-sql-spanner", other, "gcp.spanner"},
	{"github.com/nakagami/firebirdsql", other, "firebirdsql"},
}

// depth is how deep a known driver is looked for inside a wrapper.
const depth = 4

// known tells a driver or connector by its type, or by the one it wraps.
func known(x any) (kind, sp.System) {
	v, _ := find(reflect.ValueOf(x), depth)
	if p, ok := packageOf(v); ok {
		return p.kind, p.system
	}
	return other, sp.OtherSQL
}

type knownPackage struct {
	path   string
	kind   kind
	system sp.System
}

func packageOf(v reflect.Value) (knownPackage, bool) {
	if !v.IsValid() {
		return knownPackage{}, false
	}
	path := v.Type().PkgPath()
	for _, p := range packages {
		if rest, ok := strings.CutPrefix(path, p.path); ok && (rest == "" || rest[0] == '/') {
			return p, true
		}
	}
	return knownPackage{}, false
}

// byName tells a driver whose type is not known by the name it is registered
// under.
func byName(driverName string) (kind, sp.System) {
	name, _, _ := strings.Cut(driverName, "/")
	switch name {
	case "pgx":
		return pgx, sp.PostgreSQL
	case "postgres", "pq", "cloudsqlpostgres":
		return pq, sp.PostgreSQL
	case "pg":
		return bunPG, sp.PostgreSQL
	case "cockroach", "cockroachdb":
		return pq, sp.CockroachDB
	case "mysql":
		return mysql, sp.MySQL
	case "mariadb":
		return mysql, sp.MariaDB
	case "sqlite", "sqlite3", "moderncsqlite":
		return sqlite, sp.SQLite
	}
	return other, sp.OtherSQL
}

// byScheme tells what an unknown driver of an unknown name is for.
func byScheme(dsn string) (kind, sp.System) {
	switch scheme, _, _ := strings.Cut(dsn, "://"); scheme {
	case "postgres", "postgresql":
		return pq, sp.PostgreSQL
	case "cockroachdb":
		return pq, sp.CockroachDB
	}
	return other, sp.OtherSQL
}
