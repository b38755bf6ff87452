package integration_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
