package backend

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// URL is the parsed URL of a database. Its String, and every verb of fmt, hides
// the password.
type URL struct {
	// Scheme chooses the dialect; in lower case.
	Scheme string
	// User is the role to connect as; empty if not given.
	User string
	// Host is the server's name or address, without brackets; empty if not
	// given, and for a database without a server.
	Host string
	// Port is the server's port; 0 if not given.
	Port int
	// More are the servers after the first, if the URL names several.
	More []Address
	// Database is the database's name, or a path for one in a file.
	Database string

	password    string
	hasPassword bool
	secretive   bool // a parameter is a secret, of which others may be a part
	bracketed   bool // the host is an address in brackets
	params      url.Values
}

// Address is where a server listens.
type Address struct {
	// Host is its name or address, without brackets.
	Host string
	// Port is its port; 0 if not given.
	Port int
}

// String returns the address as a URL has it.
func (a Address) String() string {
	host := escape(a.Host)
	if strings.Contains(a.Host, ":") {
		host = "[" + a.Host + "]"
	}
	if a.Port != 0 {
		host += ":" + strconv.Itoa(a.Port)
	}
	return host
}

// ParseURL parses the URL of a database:
//
//	postgres://user:password@host:5432/database?sslmode=require
//	postgres://user@one:5432,two:5433/database?target_session_attrs=read-write
//	mysql://user:password@host:3306/database?tls=true
//	sqlite:relative/path.db, sqlite:///relative/path.db
//	sqlite:/absolute/path.db, sqlite:////absolute/path.db
//	sqlite::memory:
//
// A path of SQLite follows three slashes, as in SQLAlchemy, or the colon. A
// driver named after the dialect, as in SQLAlchemy's URLs (postgresql+asyncpg,
// mysql+aiomysql, sqlite+aiosqlite), is ignored: a dialect has one driver here.
// Each dialect defines its parameters. Reserved characters in user, password,
// database and parameters are percent-encoded; an @ after the host is an error,
// since it may be the password's. No error contains any part of the password.
func ParseURL(s string) (*URL, error) {
	scheme, rest, found := strings.Cut(s, ":")
	if !found || scheme == "" {
		return nil, errors.New("engine: parse url: no scheme: a database is named like postgres://user@host/database or sqlite:file.db")
	}
	if !validScheme(scheme) {
		return nil, errors.New("engine: parse url: the scheme before the first colon has characters other than letters, digits, + and -")
	}
	u := &URL{Scheme: withoutDriver(strings.ToLower(scheme))}
	if err := u.refuseAmbiguous(rest); err != nil {
		return nil, err
	}
	rest, query, _ := strings.Cut(rest, "?")
	if err := u.parseQuery(query); err != nil {
		return nil, err
	}
	if strings.Contains(rest, "#") {
		return nil, errors.New("engine: parse url: a # in a name has to be written %23")
	}
	authority, found := strings.CutPrefix(rest, "//")
	if !found {
		return u, u.parsePath(rest)
	}
	authority, path, _ := strings.Cut(authority, "/")
	if u.Scheme == "sqlite" {
		if authority != "" {
			return nil, errors.New("engine: parse url: sqlite has no host: write sqlite:///relative/path or sqlite:////absolute/path")
		}
		return u, u.parsePath(path)
	}
	if err := u.parseAuthority(authority); err != nil {
		return nil, err
	}
	return u, u.parsePath(path)
}

// withoutDriver returns a scheme without the driver that SQLAlchemy's URLs name
// after the dialect.
func withoutDriver(scheme string) string {
	switch dialect, _, _ := strings.Cut(scheme, "+"); dialect {
	case "postgres", "postgresql", "mysql", "mariadb", "sqlite":
		return dialect
	}
	return scheme
}

// refuseAmbiguous reports an error if a part of the password may be taken for
// the host, the database or a parameter.
func (u *URL) refuseAmbiguous(rest string) error {
	authority, found := strings.CutPrefix(rest, "//")
	if !found || u.Scheme == "sqlite" {
		return nil
	}
	if i := strings.IndexAny(authority, "/?#"); i >= 0 && strings.Contains(authority[i:], "@") {
		return errors.New("engine: parse url: an @ stands behind the host: a password's reserved characters are percent-encoded " +
			"(/ is %2F, ? is %3F, # is %23, @ is %40), and so is an @ in a parameter")
	}
	return nil
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-') {
			return false
		}
	}
	return true
}

func (u *URL) parseQuery(query string) error {
	u.params = url.Values{}
	u.secretive = isSecret(query)
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		key, value, found := strings.Cut(part, "=")
		key, err := url.QueryUnescape(key)
		if err != nil || key == "" {
			return errors.New("engine: parse url: a parameter's name is empty or badly encoded")
		}
		if !found {
			return fmt.Errorf("engine: parse url: parameter%s has no value", u.quoted(key))
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return fmt.Errorf("engine: parse url: the value of parameter%s is badly percent-encoded", u.quoted(key))
		}
		u.params.Add(key, value)
	}
	return nil
}

func (u *URL) parsePath(path string) error {
	name, err := url.PathUnescape(path)
	if err != nil {
		return errors.New("engine: parse url: the database's name is badly percent-encoded")
	}
	if strings.ContainsRune(name, 0) {
		return errors.New("engine: parse url: the database's name holds a NUL byte")
	}
	u.Database = name
	return nil
}

func (u *URL) parseAuthority(authority string) (err error) {
	host := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		host = authority[at+1:]
		user, password, found := strings.Cut(authority[:at], ":")
		if u.User, err = url.PathUnescape(user); err != nil {
			return errors.New("engine: parse url: the user's name is badly percent-encoded")
		}
		if u.password, err = url.PathUnescape(password); err != nil {
			return errors.New("engine: parse url: the password is badly percent-encoded")
		}
		u.hasPassword = found
	}
	first, rest, several := strings.Cut(host, ",")
	if err := u.parseHost(first); err != nil {
		return err
	}
	for several {
		var next string
		next, rest, several = strings.Cut(rest, ",")
		var one URL
		if err := one.parseHost(next); err != nil {
			return err
		}
		u.More = append(u.More, Address{Host: one.Host, Port: one.Port})
	}
	for _, a := range u.More {
		if a.Host == "" || u.Host == "" {
			return errors.New("engine: parse url: one of several hosts has no name")
		}
	}
	return nil
}

func (u *URL) parseHost(host string) (err error) {
	port := ""
	if address, ok := strings.CutPrefix(host, "["); ok {
		address, port, ok = strings.Cut(address, "]")
		if !ok || port != "" && port[0] != ':' || strings.ContainsAny(address, "[]@%/ ") {
			return errors.New("engine: parse url: an address in brackets is followed by nothing, or by a colon and the port")
		}
		u.Host, u.bracketed = address, true
	} else {
		if i := strings.LastIndexByte(host, ':'); i >= 0 {
			host, port = host[:i], host[i:]
		}
		if strings.ContainsAny(host, ":,@ []") {
			return errors.New("engine: parse url: the host is no name or address; an IPv6 address is in brackets")
		}
		if u.Host, err = url.PathUnescape(host); err != nil {
			return errors.New("engine: parse url: the host is badly percent-encoded")
		}
	}
	if len(port) > 0 {
		n, err := strconv.Atoi(port[1:])
		if err != nil || n < 1 || n > 65535 {
			return errors.New("engine: parse url: the port is no number between 1 and 65535; " +
				"if what follows the colon is a password, the user is ended by an @")
		}
		u.Port = n
	}
	return nil
}

// quoted returns a parameter's name for an error, after a blank; "" if it may
// be a part of a secret, since & divides parameters.
func (u *URL) quoted(name string) string {
	if u.secretive && name != "password" {
		return ""
	}
	return " " + strconv.Quote(clip(name))
}

// clip shortens a part of a URL for an error.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// Password returns the password, and whether there is one.
func (u *URL) Password() (password string, ok bool) { return u.password, u.hasPassword }

// String returns the URL with the password, and the values of parameters whose
// names suggest a secret, replaced by "xxxxx".
func (u *URL) String() string {
	var b strings.Builder
	b.WriteString(u.Scheme)
	b.WriteByte(':')
	switch {
	case u.Host != "" || u.User != "" || u.hasPassword || u.Port != 0:
		b.WriteString("//")
		u.writeAuthority(&b)
		b.WriteByte('/')
	case u.Scheme == "sqlite" && strings.HasPrefix(u.Database, "/"):
		b.WriteString("///")
	}
	path := escapePath(u.Database)
	if rest, ok := strings.CutPrefix(path, "//"); ok && u.Scheme != "sqlite" {
		path = "/%2F" + rest // two slashes would begin a host
	}
	b.WriteString(path)
	sep := byte('?')
	for _, key := range u.Params() {
		for _, value := range u.params[key] {
			if isSecret(key) {
				value = mask
			}
			b.WriteByte(sep)
			b.WriteString(url.QueryEscape(key) + "=" + url.QueryEscape(value))
			sep = '&'
		}
	}
	return b.String()
}

// GoString is String: %#v shows no password either.
func (u *URL) GoString() string { return u.String() }

// mask stands for what must not be shown.
const mask = "xxxxx"

func (u *URL) writeAuthority(b *strings.Builder) {
	if u.User != "" || u.hasPassword {
		b.WriteString(escape(u.User))
		if u.hasPassword {
			b.WriteString(":" + mask)
		}
		b.WriteByte('@')
	}
	if u.bracketed {
		b.WriteString("[" + u.Host + "]")
	} else {
		b.WriteString(escape(u.Host))
	}
	if u.Port != 0 {
		b.WriteString(":" + strconv.Itoa(u.Port))
	}
	for _, a := range u.More {
		b.WriteString("," + a.String())
	}
}

// escape percent-encodes everything except letters, digits and -._~
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// escapePath percent-encodes what would end the database's name.
func escapePath(s string) string {
	return strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(s)
}

func isSecret(key string) bool {
	key = strings.ToLower(key)
	return strings.Contains(key, "pass") || strings.Contains(key, "secret") || strings.Contains(key, "token")
}
