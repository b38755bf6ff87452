package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/internal/dbname"
)

func init() {
	backend.Register("postgres", opener{})
	backend.Register("postgresql", opener{})
}

// opener opens PostgreSQL databases.
type opener struct{}

// Open implements [backend.Opener].
func (opener) Open(u *backend.URL, cfg backend.Config) (backend.DB, error) {
	c, err := read(u)
	if err != nil {
		return nil, err
	}
	return newDatabase(c, cfg), nil
}

// Defaults and bounds of parameters.
const (
	defaultConnectTimeout = 10 * time.Second
	defaultCached         = 512
	maxCached             = 1 << 16
)

// read converts the URL into a configuration of pgx.
func read(u *backend.URL) (*pgxpool.Config, error) {
	p := u.Read()
	q := url.Values{}
	take := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	take("sslmode", p.OneOf("sslmode", "", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"))
	for _, name := range []string{"sslrootcert", "sslcert", "sslkey", "sslpassword", "application_name", "search_path", "timezone", "options"} {
		take(name, p.String(name, ""))
	}
	take("target_session_attrs", p.OneOf("target_session_attrs", "", "any", "read-write", "read-only", "primary", "standby", "prefer-standby"))
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		if p.Has(name) {
			take(name, strconv.FormatInt(p.Duration(name, 0).Milliseconds(), 10))
		}
	}
	timeout := p.Duration("connect_timeout", defaultConnectTimeout)
	cached := p.Int("statement_cache", defaultCached, 0, maxCached)
	byTransaction := readPooler(p)
	host := readHost(p, u)
	if slices.Contains(u.Params(), "load_balance_hosts") {
		p.Fail("load_balance_hosts", "pgx has no such parameter, and tries the servers in the order of the URL")
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	c, err := pgxpool.ParseConfig(connString(u, host, q))
	if err != nil {
		return nil, badConfig(u, err)
	}
	c.ConnConfig.ConnectTimeout = timeout
	c.ConnConfig.StatementCacheCapacity = cached
	switch {
	case cached == 0:
		c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	case byTransaction:
		pooled(c.ConnConfig)
	}
	return c, nil
}

// readHost returns the server's address: a host, or a folder with its socket.
func readHost(p *backend.ParamReader, u *backend.URL) string {
	folder := p.String("host", "")
	switch {
	case folder == "":
		return u.Host
	case !strings.HasPrefix(folder, "/"):
		p.Fail("host", "is no absolute path: a host stands in its own place in the URL")
	case u.Host != "":
		p.Fail("host", "the URL has a host in its own place too")
	}
	return folder
}

// connString writes a connection string for pgx to parse, since that supports
// more than its Config.
func connString(u *backend.URL, host string, q url.Values) string {
	var words []string
	word := func(key, value string) {
		value = strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)
		words = append(words, key+"='"+value+"'")
	}
	switch {
	case len(u.More) > 0:
		hosts, ports := severalHosts(u)
		word("host", hosts)
		word("port", ports)
	case host != "":
		word("host", host)
	}
	if u.Port != 0 && len(u.More) == 0 {
		word("port", strconv.Itoa(u.Port))
	}
	if u.User != "" {
		word("user", u.User)
	}
	if password, ok := u.Password(); ok {
		word("password", password)
	}
	if u.Database != "" {
		word("dbname", u.Database)
	}
	for name, values := range q {
		word(name, values[0])
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// severalHosts returns the hosts and ports of a URL that names several, as
// lists. pgx tries them in order, and takes the first that meets
// target_session_attrs.
func severalHosts(u *backend.URL) (hosts, ports string) {
	port := func(n int) string { return strconv.Itoa(cmp.Or(n, sp.PostgreSQL.DefaultPort())) }
	hosts, ports = u.Host, port(u.Port)
	for _, a := range u.More {
		hosts += "," + a.Host
		ports += "," + port(a.Port)
	}
	return hosts, ports
}

// badConfig returns the error of pgx's parser without what it quotes from the
// connection string. The error that it wraps, such as one about a certificate
// file, is kept.
func badConfig(u *backend.URL, err error) error {
	name, _ := dbname.Check("") // of a connection string that is not ambiguous
	plain := name.Refused("engine: open: "+u.Scheme, err)
	if inner := errors.Unwrap(err); inner != nil {
		return fmt.Errorf("%w: %w", plain, inner)
	}
	return plain
}
