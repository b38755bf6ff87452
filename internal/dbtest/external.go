package dbtest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// The environment variables that name servers to use in place of shared ones.
const (
	envPostgres = "SESSIONPROXY_POSTGRES_URL"
	envMariaDB  = "SESSIONPROXY_MARIADB_DSN"
)

// external returns the server that the environment names for a kind; ok is
// false if it names none.
func external(f flavor) (s *Server, ok bool, err error) {
	name, parse := envPostgres, parseURL
	if f.kind() == KindMariaDB {
		name, parse = envMariaDB, parseDSN
	}
	text := os.Getenv(name)
	if text == "" {
		return nil, false, nil
	}
	admin, err := parse(text)
	if err != nil {
		// The text holds a password: the error names the variable alone.
		return nil, true, fmt.Errorf("dbtest: read %s: %w", name, err)
	}
	programs := f.programs()
	admin.bin, err = locate(programs[len(programs)-1:], f.folders(), chosen(f))
	if err != nil {
		return nil, true, err
	}
	return &Server{flavor: f, admin: admin, app: login{admin.User, admin.Password}}, true, nil
}

// parseURL reads postgres://user:password@host:port/name?params.
func parseURL(text string) (Database, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The cause quotes the URL.
		return Database{}, errors.New("not a URL")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return Database{}, errors.New("scheme is not postgres")
	}
	db := Database{
		Kind: KindPostgres, Host: u.Hostname(), Port: 5432,
		User: u.User.Username(), Name: strings.TrimPrefix(u.Path, "/"), params: u.Query(),
	}
	db.Password, _ = u.User.Password()
	if u.Port() != "" {
		db.Port, err = strconv.Atoi(u.Port())
	}
	if err != nil || db.Host == "" || db.User == "" || db.Name == "" {
		return Database{}, errors.New("host, port, user or database is missing or wrong")
	}
	return db, nil
}

// parseDSN reads user:password@tcp(host:port)/name?params, as
// go-sql-driver/mysql does: nothing is escaped, so that the last slash ends the
// address and the last @ ends the password.
func parseDSN(text string) (Database, error) {
	slash := strings.LastIndex(text, "/")
	at := strings.LastIndex(text[:max(slash, 0)], "@")
	if at < 0 {
		return Database{}, errors.New("not of the form user:password@tcp(host:port)/name")
	}
	address, isTCP := strings.CutPrefix(text[at+1:slash], "tcp(")
	address, closed := strings.CutSuffix(address, ")")
	host, port, err := net.SplitHostPort(address)
	if !isTCP || !closed || err != nil {
		return Database{}, errors.New("address is not tcp(host:port)")
	}
	db := Database{Kind: KindMariaDB, Host: host}
	db.User, db.Password, _ = strings.Cut(text[:at], ":")
	name, query, _ := strings.Cut(text[slash+1:], "?")
	db.Name = name
	db.params, err = url.ParseQuery(query)
	if err != nil {
		return Database{}, errors.New("parameters are malformed")
	}
	db.Port, err = strconv.Atoi(port)
	if err != nil || db.User == "" || db.Name == "" {
		return Database{}, errors.New("port, user or database is missing or wrong")
	}
	return db, nil
}
