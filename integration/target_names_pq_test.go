package integration_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

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
