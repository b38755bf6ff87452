package sqldb

import (
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"

	sp "github.com/sessionproxy/sessionproxy"
)

// ParseTarget reads from a driver's name and data source name which database
// is meant, as far as they tell. It knows the URL and key=value forms of
// PostgreSQL's drivers, the form of go-sql-driver/mysql, and SQLite's file
// names. It never fails: what it cannot read stays empty. The result holds no
// password. Of several hosts it takes the first.
func ParseTarget(driverName, dsn string) sp.Target {
	switch system := systemOf(driverName, dsn); system {
	case sp.PostgreSQL, sp.CockroachDB:
		return postgresTarget(system, dsn)
	case sp.MySQL, sp.MariaDB:
		return mysqlTarget(system, dsn)
	case sp.SQLite:
		return sqliteTarget(dsn)
	default:
		return sp.Target{System: system}
	}
}

func systemOf(driverName, dsn string) sp.System {
	name, _, _ := strings.Cut(driverName, "/")
	switch name {
	case "pgx", "postgres", "pq", "cloudsqlpostgres":
		return sp.PostgreSQL
	case "cockroach", "cockroachdb":
		return sp.CockroachDB
	case "mysql":
		return sp.MySQL
	case "mariadb":
		return sp.MariaDB
	case "sqlite", "sqlite3", "moderncsqlite":
		return sp.SQLite
	}
	switch scheme, _, _ := strings.Cut(dsn, "://"); scheme {
	case "postgres", "postgresql":
		return sp.PostgreSQL
	case "cockroachdb":
		return sp.CockroachDB
	}
	return sp.OtherSQL
}

func postgresTarget(system sp.System, dsn string) sp.Target {
	t := sp.Target{System: system, Port: system.DefaultPort()}
	get := keyValues(dsn)
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" && strings.Contains(dsn, "://") {
		q := u.Query()
		host, port := firstHost(u.Host)
		get = map[string]string{
			"host": or(host, q.Get("host")), "port": or(port, q.Get("port")),
			"user": u.User.Username(), "dbname": or(strings.TrimPrefix(u.Path, "/"), q.Get("dbname")),
			"search_path": q.Get("search_path"),
		}
	}
	t.Host, _, _ = strings.Cut(get["host"], ",")
	port, _, _ := strings.Cut(get["port"], ",")
	if n, err := strconv.Atoi(port); err == nil {
		t.Port = n
	}
	t.User = or(get["user"], "")
	t.Namespace = or(get["dbname"], t.User)
	if schema := get["search_path"]; schema != "" && t.Namespace != "" && !strings.ContainsAny(schema, ", ") {
		t.Namespace += "|" + schema
	}
	if t.Host == "" {
		t.Host = "localhost"
	}
	return t
}

// firstHost splits "a:1,b:2" into the first host and its port.
func firstHost(hosts string) (host, port string) {
	first, _, _ := strings.Cut(hosts, ",")
	if h, p, err := net.SplitHostPort(first); err == nil {
		return h, p
	}
	return strings.Trim(first, "[]"), ""
}

// keyValues reads libpq's "key=value key='quoted value'" form.
func keyValues(dsn string) map[string]string {
	out := map[string]string{}
	for dsn = strings.TrimSpace(dsn); dsn != ""; dsn = strings.TrimSpace(dsn) {
		key, rest, found := strings.Cut(dsn, "=")
		if !found {
			return out
		}
		var value string
		value, dsn = libpqValue(strings.TrimLeft(rest, " \t\n"))
		out[strings.TrimSpace(key)] = value
	}
	return out
}

// libpqValue takes one value, quoted or bare, off the front of s.
func libpqValue(s string) (value, rest string) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case quoted && c == '\'', !quoted && (c == ' ' || c == '\t' || c == '\n'):
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// mysqlTarget reads "user:password@net(address)/database?params".
func mysqlTarget(system sp.System, dsn string) sp.Target {
	t := sp.Target{System: system, Host: "localhost", Port: system.DefaultPort()}
	slash := strings.LastIndexByte(dsn, '/')
	if address, _, found := strings.Cut(dsn, "?"); found {
		if s := strings.LastIndexByte(address, '/'); s >= 0 {
			slash = s
		}
	}
	if slash < 0 {
		return t
	}
	t.Namespace, _, _ = strings.Cut(dsn[slash+1:], "?")
	head := dsn[:slash]
	if at := strings.LastIndexByte(head, '@'); at >= 0 {
		t.User, _, _ = strings.Cut(head[:at], ":")
		head = head[at+1:]
	}
	network, address, found := strings.Cut(strings.TrimSuffix(head, ")"), "(")
	if !found || address == "" {
		return t
	}
	if network == "unix" {
		t.Host, t.Port = address, 0
		return t
	}
	t.Host = strings.Trim(address, "[]")
	if h, p, err := net.SplitHostPort(address); err == nil {
		t.Host = h
		t.Port, _ = strconv.Atoi(p)
	}
	return t
}

func sqliteTarget(dsn string) sp.Target {
	name := strings.TrimPrefix(dsn, "file:")
	name, _, _ = strings.Cut(name, "?")
	if name == "" || name == ":memory:" {
		return sp.Target{System: sp.SQLite, Namespace: name}
	}
	return sp.Target{System: sp.SQLite, Namespace: path.Base(strings.ReplaceAll(name, `\`, "/"))}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
