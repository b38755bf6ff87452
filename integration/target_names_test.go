package integration_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/uptrace/bun/driver/pgdriver"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// environments are what the data source names are read in.
func environments(t *testing.T) map[string]map[string]string {
	t.Helper()
	services := filepath.Join(t.TempDir(), "services")
	text := "[other]\nhost=wrong\n\n# ours\n[shop]\nhost=db.service\nport=7777\ndbname=servedshop\nuser=servedbob\n\n[pair]\nhost=s1,s2\nport=1,2\n"
	if err := os.WriteFile(services, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]string{
		"none":     {},
		"host":     {"PGHOST": "db.env", "PGPORT": "7000", "PGDATABASE": "envshop", "PGUSER": "envbob"},
		"several":  {"PGHOST": "a.env,b.env"},
		"address":  {"PGHOSTADDR": "10.9.8.7"},
		"socket":   {"PGHOST": "/run/env", "PGPORT": "7001"},
		"empty":    {"PGHOST": "", "PGUSER": ""},
		"service":  {"PGSERVICE": "shop", "PGSERVICEFILE": services},
		"services": {"PGSERVICE": "pair", "PGSERVICEFILE": services},
		"missing":  {"PGSERVICE": "none", "PGSERVICEFILE": services},
		"nowhere":  {"PGSERVICE": "shop", "PGSERVICEFILE": services + ".none"},
	}
}

// setEnvironment sets PostgreSQL's variables, and takes away those of the machine.
func setEnvironment(t *testing.T, env map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if key, _, _ := strings.Cut(pair, "="); strings.HasPrefix(key, "PG") {
			t.Setenv(key, "") // puts it back in the end
			if err := os.Unsetenv(key); err != nil {
				t.Fatal(err)
			}
		}
	}
	for key, value := range env {
		t.Setenv(key, value)
	}
}

// postgresNames are data source names of lib/pq in either form.
var postgresNames = func() []string {
	names := []string{
		"", "host=db", "host=db port=6543", "host=/run/pg dbname=shop", "dbname=shop user=bob", "host='db' dbname='sh op'", `host=db dbname='it\'s'`,
		`host=db dbname=a\ b`, "host = db dbname =shop", "host=db dbname=", "host=a,b,c port=1,2,3 dbname=shop", "host=a,b port=5 dbname=shop",
		"host=a,a dbname=shop", "host=a,b port=1,2,3", "host=,b dbname=shop", "host=a, dbname=shop", "host= dbname=shop", "host=::1 dbname=x",
		"hostaddr=10.0.0.1", "host=db hostaddr=10.0.0.1", "host=localhost hostaddr=10.0.0.1", "hostaddr=10.0.0.1,10.0.0.2 port=1,2", "hostaddr=fe80::1%eth0",
		"host=a,b hostaddr=10.0.0.1,10.0.0.2", "host=a,b hostaddr=10.0.0.1", "hostaddr=nonsense", "host=@abstract dbname=shop", "user='' dbname=shop",
		"host=db user=bob search_path=sales", "host=db user=bob search_path='sales, public'", "service=shop", "service=none host=db", "host=db port=70000",
		"host=db dbname", "host=db dbname='shop", `host=db dbname=a\`, "host=db database=shop", "host=db user=bob password='p w' dbname=shop",
		"postgres://", "postgres://db", "postgres://db:6543", "postgres://bob@db/shop", "postgresql://bob:pw@db:1/shop", "postgres://[::1]/shop",
		"postgres://bob@[fe80::1]:1/shop", "postgres:///shop", "postgres:///shop?host=/run/pg", "postgres:///shop?host=/run/pg&port=6000",
		"postgres://%2Frun%2Fpg/shop", "postgres://bob@db/shop?search_path=sales", "postgres://db/shop?user=bob", "postgres://bob@db/shop?user=alice",
		"postgres://db/shop?dbname=other", "postgres://db/shop?dbname=zoo", "postgres://db/shop?host=/run/pg", "postgres://db/shop?host=zoo&port=9",
		"postgres://a,b/shop?port=1,2", "postgres://a:1,b:2/shop", "postgres://a,b/shop", "postgres:///shop?host=a,b", "postgres://db/shop?hostaddr=10.0.0.1",
		"postgres://b%40b@db/shop", "postgres://bob:p%40w%2F%3F@db/shop", "postgres://bob@db/sh%2Fop", "postgres://bob@db/sh%20op", "postgres://bob@db/it's",
		`postgres://bob@db/back\slash`, "postgres://bob:p:w@db/shop", "postgres://DB.Example.COM/Shop", "postgres://db/shop?sslmode=disable", "postgres://bob@/shop",
		"postgres://db/shop?service=shop", "postgres://db/shop?x%20y=1", "postgres://db/shop?host%3Dx=y", "postgres://db:port/shop", "postgres://db/%zz",
	}
	for _, c := range []string{"+", "-", "_", ".", "~", "!", "$", "*", "(", ")", ";", "=", "é"} {
		names = append(names, "postgres://b"+c+"b:p"+c+"w@db/s"+c+"h", "host=db user=b"+c+"b password=p"+c+"w dbname=s"+c+"h")
	}
	return names
}()

// heard is a dialler that notes what it is asked for.
type heard struct{ addresses []string }

func (h *heard) Dial(_, address string) (net.Conn, error) {
	h.addresses = append(h.addresses, address)
	return nil, errors.New("only asked")
}

func (h *heard) DialTimeout(network, address string, _ time.Duration) (net.Conn, error) {
	return h.Dial(network, address)
}

// dialledByPQ returns the target that a name of lib/pq has to have, by what its
// dialler is asked for, or false if lib/pq refuses the name.
func dialledByPQ(t *testing.T, dsn string) (sp.Target, bool) {
	t.Helper()
	cfg, err := pq.NewConfig(dsn)
	if err != nil {
		return sp.Target{}, false
	}
	c := must(pq.NewConnectorConfig(cfg))
	var h heard
	c.Dialer(&h)
	if _, err := c.Connect(t.Context()); err == nil {
		t.Fatal("nothing was dialled")
	}
	want := sp.Target{System: sp.PostgreSQL, Namespace: cfg.Database, User: cfg.User}
	if want.Namespace == "" {
		want.Namespace = cfg.User
	}
	if path := cfg.Runtime["search_path"]; path != "" && want.Namespace != "" && !strings.ContainsAny(path, ", ") {
		want.Namespace += "|" + path
	}
	slices.Sort(h.addresses)
	addresses := slices.Compact(h.addresses)
	switch host, port, err := net.SplitHostPort(addresses[0]); {
	case len(addresses) > 1: // which of them, a connection tells
	case err != nil && strings.HasPrefix(addresses[0], "["): // which nobody can dial
		want.Host, want.Port = cfg.Host, int(cfg.Port)
	case err != nil: // a socket
		want.Host, want.Port = filepath.Dir(addresses[0]), int(cfg.Port)
	case cfg.Hostaddr.IsValid() && cfg.Host != "" && cfg.Host != "localhost":
		want.Host, want.Port = cfg.Host, int(cfg.Port)
	case host != "":
		want.Host, want.Port = host, must(strconv.Atoi(port))
	}
	return want, true
}

// TestTheTargetIsWhatPQDials compares with what lib/pq asks its dialler for.
func TestTheTargetIsWhatPQDials(t *testing.T) {
	for name, env := range environments(t) {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, env)
			compared := 0
			for _, dsn := range postgresNames {
				if holdsForPQ(t, dsn) {
					compared++
				}
			}
			if compared < 60 && env["PGSERVICE"] == "" {
				t.Errorf("lib/pq takes %d of the names", compared)
			}
		})
	}
}

// TestTheTargetOfAnyNameIsWhatPQDials makes names of what they are made of.
func TestTheTargetOfAnyNameIsWhatPQDials(t *testing.T) {
	const names = 5_000
	r := rand.New(rand.NewPCG(13, 2))
	values := []string{
		"db", "a,b", "a,b,c", ",b", "a,", "", "10.0.0.1", "10.0.0.1,10.0.0.2", "::1", "5432", "1,2", "1,2,3", "1,,3", "/run/pg", "'it\\'s'", "a\\ b", "'a b'", "é", "\xff",
		"localhost", "x=y", "%", "%41", "'", "\\", "shop", "none", "pair",
	}
	keys := []string{"host", "host", "hostaddr", "port", "user", "dbname", "database", "search_path", "service", "application_name", "x"}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for name, env := range environments(t) {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, env)
			compared := 0
			for range names / 10 {
				parts := []string{}
				for range r.IntN(5) {
					parts = append(parts, pick(keys)+"="+pick(values))
				}
				dsn := strings.Join(parts, " ")
				if r.IntN(2) == 0 {
					dsn = "postgres://" + pick([]string{"", "bob@", "bob:pw@"}) + pick(values) + pick([]string{"", ":1", ":"}) + "/" + pick(values) + "?" + strings.Join(parts, "&")
				}
				if holdsForPQ(t, dsn) {
					compared++
				}
			}
			t.Logf("lib/pq takes %d of the names", compared)
		})
	}
}

// holdsForPQ compares one name, and reports whether lib/pq takes it.
func holdsForPQ(t *testing.T, dsn string) (taken bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			t.Logf("%q: lib/pq panics: %v", dsn, r)
		}
	}()
	want, taken := dialledByPQ(t, dsn)
	got := sqldb.ParseTarget("postgres", dsn)
	if !taken {
		if got != (sp.Target{System: sp.PostgreSQL}) {
			t.Errorf("%q: refused by lib/pq, target %+v", dsn, got)
		}
		return false
	}
	if got.Named() != want.Named() || got.User != want.User {
		t.Errorf("%q: target %+v, lib/pq dials %+v", dsn, got, want)
	}
	if got = targetOfConnector(t, must(pq.NewConnector(dsn))); got.Named() != want.Named() || got.User != want.User {
		t.Errorf("%q through a connector: target %+v, lib/pq dials %+v", dsn, got, want)
	}
	return true
}

// targetOfConnector returns the target of a database that a connector opens.
func targetOfConnector(t *testing.T, c driver.Connector) sp.Target {
	t.Helper()
	db := sqldb.OpenDB(c, sp.NewChain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })))
	defer db.Close()
	return must(sqldb.Wrap(db)).Target()
}

// TestTheTargetIsWhatBunsDriverDials compares with what pgdriver asks its dialler
// for.
func TestTheTargetIsWhatBunsDriverDials(t *testing.T) {
	names := []string{
		"postgres://", "postgres://db", "postgres://db:6543", "postgres://bob@db/shop", "postgresql://bob:pw@db:1/shop", "postgres://[::1]:5433/shop",
		"postgres://bob@[fe80::1]:1/shop", "postgres:///shop", "postgres:///shop?host=/run/pg/.s.PGSQL.5432", "postgres:///shop?host=other:1",
		"postgres://db/shop?host=other:1", "unix://shop/run/pg/.s.PGSQL.5432", "unix:///run/pg/.s.PGSQL.5432", "unix://bob:pw@shop/run/pg/.s.PGSQL.1",
		"postgres://bob@db/shop?search_path=sales", "postgres://bob@db/shop?search_path=sales,public", "postgres://b%40b@db/shop",
		"postgres://bob:p%40w%2F%3F@db/shop", "postgres://bob@db/sh%2Fop", "postgres://bob@db/sh%20op", "postgres://bob@db/it's", "postgres://bob:p:w@db/shop",
		"postgres://DB.Example.COM/Shop", "postgres://db/shop?sslmode=disable", "postgres://db/shop?sslmode=nonsense", "postgres://bob@/shop", "mysql://db/shop", "db",
		"postgres://db/shop?timeout=5s&application_name=x", "postgres://db:port/shop", "postgres://db/%zz", "postgres://[::1]/shop", "postgres://a,b/shop",
	}
	for _, c := range []string{"+", "-", "_", ".", "~", "!", "$", "*", "(", ")", ";", "=", "é"} {
		names = append(names, "postgres://b"+c+"b:p"+c+"w@db/s"+c+"h")
	}
	for name, env := range environments(t) {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, env)
			compared := 0
			for _, dsn := range names {
				dc, err := pgdriver.NewDriver().OpenConnector(dsn)
				got := sqldb.ParseTarget("pg", dsn)
				if err != nil {
					if got.Named() != (sp.Target{System: sp.PostgreSQL}) {
						t.Errorf("%q: refused by pgdriver, target %+v", dsn, got)
					}
					continue
				}
				compared++
				c := dc.(*pgdriver.Connector)
				var network, address string
				c.Config().Dialer = func(_ context.Context, n, a string) (net.Conn, error) {
					network, address = n, a
					return nil, errors.New("only asked")
				}
				_, _ = c.Connect(t.Context())
				want := sp.Target{System: sp.PostgreSQL, Host: address, Namespace: c.Config().Database, User: c.Config().User}
				if host, port, err := net.SplitHostPort(address); err == nil && network != "unix" {
					want.Host, want.Port = host, must(strconv.Atoi(port))
				}
				if strings.HasSuffix(dsn, "search_path=sales") {
					want.Namespace += "|sales"
				}
				if got.Named() != want.Named() || got.User != want.User {
					t.Errorf("%q: target %+v, pgdriver dials %+v", dsn, got, want)
				}
				if got := targetOfConnector(t, c); got.Named() != want.Named() {
					t.Errorf("%q through a connector: target %+v, pgdriver dials %+v", dsn, got, want)
				}
			}
			if compared < 35 {
				t.Errorf("pgdriver takes %d of the names", compared)
			}
		})
	}
}

// TestAValueThatTheDriverRefusesIsNotShown holds for what may be the rest of a
// password with a blank in it.
func TestAValueThatTheDriverRefusesIsNotShown(t *testing.T) {
	setEnvironment(t, nil)
	for _, key := range []string{"sslmode", "port", "hostaddr", "connect_timeout", "client_encoding", "datestyle", "target_session_attrs", "binary_parameters"} {
		db := must(sqldb.Open("postgres", "host=127.0.0.1 port=1 user=app password=two "+key+"=w0rds dbname=shop", sp.Chain{}))
		err := db.PingContext(t.Context())
		if err == nil || strings.Contains(err.Error(), "w0rds") {
			t.Errorf("%s: %v", key, err)
		}
		_ = db.Close()
	}
	if got := sqldb.ParseTarget("pg", "postgres://:pw@db/shop"); got.Named() != (sp.Target{System: sp.PostgreSQL}) {
		t.Errorf("a name at which pgdriver panics has the target %+v", got)
	}
}
