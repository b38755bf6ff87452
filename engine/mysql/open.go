package mysql

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

func init() {
	backend.Register("mysql", opener{})
	backend.Register("mariadb", opener{})
}

// opener opens MySQL and MariaDB databases.
type opener struct{}

// Open implements [backend.Opener].
func (opener) Open(u *backend.URL, cfg backend.Config) (backend.DB, error) {
	s, err := read(u)
	if err != nil {
		return nil, err
	}
	base, err := driver.NewConnector(s.config)
	if err != nil {
		return nil, fmt.Errorf("engine: open: %s: %w", u.Scheme, err)
	}
	return newDatabase(&connector{base: base, target: s.target, cached: s.cached}, cfg), nil
}

// settings are the parsed parameters of the URL.
type settings struct {
	config *driver.Config
	target sp.Target
	cached int
}

// Default values of parameters.
const (
	defaultConnectTimeout = 10 * time.Second
	defaultCached         = 64
	maxCached             = 1 << 14
	maxPacket             = 1 << 30
)

func read(u *backend.URL) (settings, error) {
	p := u.Read()
	c := driver.NewConfig()
	c.User, c.DBName = u.User, u.Database
	c.Passwd, _ = u.Password()
	c.ParseTime, c.ClientFoundRows = true, true
	c.Logger = &driver.NopLogger{} // what it would write is in the errors
	c.Params = map[string]string{"time_zone": "'+00:00'"}

	s := settings{config: c, target: sp.Target{System: sp.System(u.Scheme), Namespace: u.Database, User: u.User}}
	s.address(u)
	c.Timeout = p.Duration("connect_timeout", defaultConnectTimeout)
	c.ReadTimeout = p.Duration("read_timeout", 0)
	c.WriteTimeout = p.Duration("write_timeout", 0)
	c.MaxAllowedPacket = p.Int("max_allowed_packet", c.MaxAllowedPacket, 0, maxPacket)
	c.Collation = p.String("collation", "")
	if mode := p.String("sql_mode", ""); p.Has("sql_mode") {
		if strings.ContainsFunc(mode, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_' && r != ',' }) {
			p.Fail("sql_mode", "has characters other than letters, _ and ,")
		}
		c.Params["sql_mode"] = "'" + mode + "'"
	}
	if name := p.String("application_name", ""); name != "" {
		if strings.ContainsAny(name, ",:") {
			p.Fail("application_name", "must not have a comma or a colon")
		}
		c.ConnectionAttributes = "program_name:" + name
	}
	s.cached = p.Int("statement_cache", defaultCached, 0, maxCached)
	s.readTLS(p, u.Host)
	if len(u.More) > 0 && p.Has("tls") {
		p.Fail("tls", "is not supported with several hosts: a certificate names one")
	}
	if err := p.Err(); err != nil {
		return s, err
	}
	if strings.ContainsAny(u.Database, "/\\.") {
		return s, errors.New("engine: open: " + u.Scheme + ": the database's name must not have a slash, a backslash or a point")
	}
	return s, nil
}

// address sets the server's address: a host, or the path of a socket.
func (s *settings) address(u *backend.URL) {
	if strings.HasPrefix(u.Host, "/") {
		s.config.Net, s.config.Addr, s.target.Host = "unix", u.Host, u.Host
		return
	}
	s.target.Host, s.target.Port = u.Host, u.Port
	if s.target.Host == "" {
		s.target.Host = "localhost"
	}
	if s.target.Port == 0 {
		s.target.Port = sp.MySQL.DefaultPort()
	}
	s.config.Net, s.config.Addr = "tcp", net.JoinHostPort(s.target.Host, strconv.Itoa(s.target.Port))
	if len(u.More) == 0 {
		return
	}
	servers := []string{s.config.Addr}
	for _, a := range u.More {
		servers = append(servers, net.JoinHostPort(a.Host, strconv.Itoa(cmp.Or(a.Port, sp.MySQL.DefaultPort()))))
	}
	s.config.DialFunc = dialFirst(servers)
	s.target.Host, s.target.Port = "", 0
	s.target = s.target.WithIdentity(strings.Join(servers, ","))
}

// splitAddress splits an address into host and port.
func splitAddress(address string) (host string, port int) {
	host, digits, _ := net.SplitHostPort(address)
	port, _ = strconv.Atoi(digits)
	return host, port
}
