package dbtest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// Database is a database on a server, and how to reach it. It is a value,
// safe for concurrent use.
type Database struct {
	// Kind is the server's kind.
	Kind Kind
	// Name is the database's name: lower-case letters, digits and underscores.
	Name string
	// Host is where the server listens on TCP; 127.0.0.1 for a server of this
	// package.
	Host string
	// Port is the TCP port that goes with Host.
	Port int
	// Socket is the path of the server's Unix socket, empty if not known.
	Socket string
	// User is who owns the database: no superuser on a server of this package.
	User string
	// Password is User's.
	Password string

	// params are the connection parameters of a server named by the environment.
	params url.Values
	// bin holds the server's client.
	bin binaries
}

// String returns the database's address without its password.
func (d Database) String() string {
	return fmt.Sprintf("%s://%s@%s/%s", d.Kind, d.User, d.address(), d.Name)
}

// URL returns a URL with the password in it, postgres://… or mysql://…. Each
// param is key=value and becomes part of its query. On PostgreSQL it is what
// pgx and lib/pq take; TLS is off unless a param says otherwise.
func (d Database) URL(params ...string) string {
	if d.Kind == KindMariaDB {
		return d.url("mysql", d.merged(nil, params)).String()
	}
	return d.url("postgres", d.postgresParams(params)).String()
}

// DSN returns what the usual driver of database/sql takes: [Database.URL] on
// PostgreSQL, user:password@tcp(host:port)/name?params for go-sql-driver/mysql.
func (d Database) DSN(params ...string) string {
	if d.Kind != KindMariaDB {
		return d.URL(params...)
	}
	return d.mysqlDSN("tcp("+d.address()+")", params)
}

// SocketDSN is [Database.DSN] by way of the Unix socket.
func (d Database) SocketDSN(params ...string) string {
	if d.Kind == KindMariaDB {
		return d.mysqlDSN("unix("+d.Socket+")", params)
	}
	query := d.postgresParams(params)
	query.Set("host", filepath.Dir(d.Socket))
	query.Set("port", strconv.Itoa(d.Port))
	u := d.url("postgres", query)
	u.Host = ""
	return u.String()
}

// Query runs statements through the server's own client, as the database's
// user, and returns what it prints: a line per row, columns separated by | on
// PostgreSQL and by tabs on MariaDB, and no header. It blocks until the client
// ends or ctx does.
func (d Database) Query(ctx context.Context, statements string) (string, error) {
	f, _ := flavorOf(d.Kind)
	out, err := d.bin.run(ctx, f.client(d, statements+";\n"), nil)
	if err != nil {
		return "", fmt.Errorf("dbtest: query %s: %w", d, err)
	}
	return strings.TrimSuffix(out, "\n"), nil
}

// address returns host:port.
func (d Database) address() string { return net.JoinHostPort(d.Host, strconv.Itoa(d.Port)) }

// url returns the database's URL with a query.
func (d Database) url(scheme string, query url.Values) *url.URL {
	return &url.URL{
		Scheme: scheme, User: url.UserPassword(d.User, d.Password),
		Host: d.address(), Path: "/" + d.Name, RawQuery: query.Encode(),
	}
}

// postgresParams merges params with the server's own; a private server has no
// certificate.
func (d Database) postgresParams(params []string) url.Values {
	return d.merged(url.Values{"sslmode": {"disable"}}, params)
}

// merged lays the server's parameters and then params over base.
func (d Database) merged(base url.Values, params []string) url.Values {
	all := url.Values{}
	for _, values := range []url.Values{base, d.params} {
		maps.Copy(all, values)
	}
	for _, param := range params {
		key, value, _ := strings.Cut(param, "=")
		all.Set(key, value)
	}
	return all
}

// mysqlDSN returns the form of go-sql-driver/mysql for an address.
func (d Database) mysqlDSN(address string, params []string) string {
	dsn := d.User + ":" + d.Password + "@" + address + "/" + d.Name
	if query := d.merged(nil, params).Encode(); query != "" {
		dsn += "?" + query
	}
	return dsn
}
