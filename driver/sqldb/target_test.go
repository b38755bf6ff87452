package sqldb_test

import (
	"context"
	"database/sql/driver"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

// postgresNames are data source names in either form: {} is where a special
// character goes into the parts that it may stand in.
var postgresNames = func() []string {
	names := []string{
		"", "host=db", "host=db port=6543", "host=/run/pg dbname=shop", "dbname=shop user=bob", "user=bob", "host='db' dbname='sh op'",
		`host=db dbname='it\'s'`, `host=db dbname=a\ b`, "host=a,b,c port=1,2,3 dbname=shop", "host=a,b port=5 dbname=shop",
		"host=10.0.0.1,10.0.0.2 dbname=shop", "host=a,a dbname=shop sslmode=prefer", "host=::1 dbname=x", "host=fe80::1 port=1 dbname=x",
		"postgres://", "postgres://db", "postgres://db:6543", "postgres://bob@db/shop", "postgres://bob:pw@db/shop", "postgresql://bob@db:1/shop",
		"postgres://[::1]/shop", "postgres://[::1]:5433/shop", "postgres://bob@[fe80::1]:1/shop", "postgres:///shop", "postgres:///shop?host=/run/pg",
		"postgres:///shop?host=/run/pg&port=6000", "postgres://%2Frun%2Fpg/shop", "postgres://bob@db/shop?search_path=sales",
		"postgres://bob@db/shop?search_path=sales,public", "postgres://db/shop?user=bob", "postgres://db/shop?dbname=other",
		"postgres://a:1,b:2/shop", "postgres://a,b,c/shop", "postgres://10.0.0.1:1,10.0.0.2:2/shop", "postgres://bob:pw@a:1,b:2,c:3/shop?target_session_attrs=any",
		"postgres://b%40b@db/shop", "postgres://bob:p%40w%2F%3F@db/shop", "postgres://bob@db/sh%2Fop", "postgres://bob@db/sh%20op",
		"postgres://bob:p:w@db/shop", "postgres://b%C3%A9b@db/shop", "host=db user=bob password='p w' dbname=shop",
		`host=db user=bob password='p\'w' dbname=shop`, "postgres://db/shop?sslmode=disable", "postgres://db/shop?application_name=x",
		"postgres://DB.Example.COM/Shop", "host=db dbname=shop search_path=sales", "postgres://bob@db", "postgres://bob@/shop",
	}
	for _, c := range []string{"+", "-", "_", ".", "~", "!", "$", "*", "(", ")", ";", "="} {
		names = append(names, "postgres://b"+c+"b:p"+c+"w@db/s"+c+"h")
	}
	return names
}()

// TestTheTargetIsWhatPGXDials compares with the configuration that pgx makes.
func TestTheTargetIsWhatPGXDials(t *testing.T) {
	environments := map[string]map[string]string{
		"none": {}, "host": {"PGHOST": "db.env", "PGPORT": "7000", "PGDATABASE": "envshop", "PGUSER": "envbob"},
		"several": {"PGHOST": "a.env,b.env"},
		"service": {"PGSERVICE": "shop", "PGSERVICEFILE": serviceFile(t)},
	}
	for name, env := range environments {
		t.Run(name, func(t *testing.T) {
			for key, value := range env {
				t.Setenv(key, value)
			}
			compared := 0
			for _, dsn := range postgresNames {
				config, err := pgx.ParseConfig(dsn)
				if err != nil {
					continue
				}
				compared++
				want := ofPGX(config)
				if got := sqldb.ParseTarget("pgx", dsn).Named(); got != want.Named() {
					t.Errorf("%q: target %+v, pgx dials %+v", dsn, got, want)
				}
				got := openedBy(t, stdlib.GetConnector(*config))
				if got.Named() != want.Named() || got.User != config.User {
					t.Errorf("%q through a connector: target %+v, pgx dials %+v", dsn, got, want)
				}
			}
			if compared < 55 {
				t.Errorf("pgx takes %d of the names", compared)
			}
		})
	}
}

func serviceFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "services")
	text := "[other]\nhost=wrong\n\n# ours\n[shop]\nhost=db.service\nport=7777\ndbname=servedshop\nuser=servedbob\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ofPGX says of pgx's configuration what the target has to say.
func ofPGX(c *pgx.ConnConfig) sp.Target {
	t := sp.Target{System: sp.PostgreSQL, Namespace: c.Database}
	if t.Namespace == "" {
		t.Namespace = c.User
	}
	if path := c.RuntimeParams["search_path"]; path != "" && !strings.Contains(path, ",") {
		t.Namespace += "|" + path
	}
	for _, f := range c.Fallbacks {
		if f.Host != c.Host || f.Port != c.Port {
			return t // which of them, a connection tells
		}
	}
	t.Host, t.Port = c.Host, int(c.Port)
	return t
}

// openedBy returns the target of a database that a connector opens.
func openedBy(t *testing.T, c driver.Connector) sp.Target {
	t.Helper()
	db := sqldb.OpenDB(c, sp.NewChain(&recorder{}))
	defer db.Close()
	h, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	return h.Target()
}

// TestTheTargetIsWhatMySQLsDriverDials compares with go-sql-driver's parser.
func TestTheTargetIsWhatMySQLsDriverDials(t *testing.T) {
	t.Parallel()
	names := []string{
		"/", "/shop", "tcp/shop", "tcp(db)/shop", "tcp(db:3307)/shop", "bob@/shop", "bob@tcp(db)/", "bob:pw@tcp(db:1)/shop?parseTime=true",
		"bob:pw@unix(/run/my.sock)/shop", "unix/shop", "bob@tcp([::1]:3306)/shop", "bob@tcp([fe80::1%25eth0]:1)/shop", "cloud(project:region:name)/shop",
		"user:a/hunter2?c@tcp(db:3306)/shop", "bob:p@w@tcp(db)/shop", "bob:p:w@tcp(db)/shop", "bob:p(w)@tcp(db)/shop", "b@b:pw@tcp(db)/shop", "bob:@tcp(db)/shop",
		":pw@tcp(db)/shop", "bob:p@tcp(evil:1)/w@tcp(db:2)/shop", "bob:%40@tcp(db)/shop", "tcp(db)/sh%2Fop", "tcp(db)/sh%20op", "tcp(10.0.0.1:3306)/shop?loc=Europe%2FBerlin",
		"tcp(DB.Example.COM)/Shop", "@tcp(db)/", "bob@tcp()/shop", "bob:pw@tcp(db:99999)/shop", "ssh(db:22)/shop",
		"bob@tcp(db)/shop?charset=utf8mb4&collation=utf8mb4_bin", "bob:é@tcp(db)/shöp",
	}
	for _, c := range []string{"!", "#", "$", "%", "&", "'", "*", "+", ",", "-", ".", ";", "<", "=", ">", "?", "[", "]", "^", "_", "`", "{", "|", "}", "~", " ", "\t", "\"", "\\"} {
		names = append(names, "b"+c+"b:p"+c+"w@tcp(db)/shop")
	}
	compared := 0
	for _, dsn := range names {
		config, err := mysql.ParseDSN(dsn)
		if err != nil {
			continue
		}
		compared++
		want := sp.Target{System: sp.MySQL, Namespace: config.DBName, User: config.User, Host: config.Addr}
		if h, p, err := net.SplitHostPort(config.Addr); err == nil && config.Net != "unix" {
			if n, err := strconv.Atoi(p); err == nil {
				want.Host, want.Port = h, n
			}
		}
		if got := sqldb.ParseTarget("mysql", dsn); got != want {
			t.Errorf("%q: target %+v, the driver dials %+v", dsn, got, want)
		}
		c, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		if got := openedBy(t, c); got != want {
			t.Errorf("%q through a connector: target %+v, the driver dials %+v", dsn, got, want)
		}
	}
	if compared < 55 {
		t.Errorf("the driver takes %d of the names", compared)
	}
}

func TestTheTargetIsSQLitesFile(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"app.db": "app.db", "/var/data/app.db": "app.db", "file:app.db": "app.db", "file:/var/data/app.db?_pragma=foreign_keys(1)": "app.db",
		"file:///var/data/app.db": "app.db", "file://localhost/var/app.db?mode=ro": "app.db", "./app.db?x=/y": "app.db", "file:a%20b.db": "a b.db",
		":memory:": ":memory:", "file::memory:?cache=shared": ":memory:", "file:cart?mode=memory": "cart", "": "",
	} {
		if got := sqldb.ParseTarget("sqlite", dsn); got.System != sp.SQLite || got.Namespace != want || got.Host != "" {
			t.Errorf("%q: %+v", dsn, got)
		}
	}
	a, b := sqldb.ParseTarget("sqlite", "/a/app.db"), sqldb.ParseTarget("sqlite", "/b/app.db")
	if a == b || a != sqldb.ParseTarget("sqlite", "file:/a/app.db?mode=ro") {
		t.Error("two files of one name are one target, or one file is two")
	}
	if a, b := sqldb.ParseTarget("sqlite", ":memory:"), sqldb.ParseTarget("sqlite", ":memory:"); a == b {
		t.Error("two databases in memory are one target")
	}
}

func TestNothingIsGuessed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		driver, dsn string
		want        sp.System
	}{
		{"other", "cockroachdb://root@h:26257/d", sp.CockroachDB},
		{"other", "what", sp.OtherSQL},
		{"pgx", "postgres://app:1/b@h/d", sp.PostgreSQL},
		{"mysql", "app:p@/x@tcp(h)", sp.MySQL},
	} {
		if got := sqldb.ParseTarget(test.driver, test.dsn); got != (sp.Target{System: test.want}) {
			t.Errorf("%s, %q: %+v", test.driver, test.dsn, got)
		}
	}
	conn := connectorFor{func() (driver.Conn, error) { return &minimalConn{log: &journal{}}, nil }}
	a, b := openedBy(t, conn), openedBy(t, conn)
	if a.System != sp.OtherSQL || a.Host != "" || a.Namespace != "" {
		t.Errorf("an unknown connector has the target %+v", a)
	}
	if a == b {
		t.Error("two handles of which nothing is known have one target")
	}
}

type tellingConnector struct{ driver.Connector }

func (tellingConnector) Target() sp.Target { return sp.Target{System: "trino", Host: "coordinator"} }

// wrapping is a connector of a library that wraps another's.
type wrapping struct {
	driver.Connector
	tags []string
}

func TestAConnectorTellsByItsMethodOrByTheOneItWraps(t *testing.T) {
	t.Parallel()
	if got := openedBy(t, tellingConnector{connectorFor{}}); got != (sp.Target{System: "trino", Host: "coordinator"}) {
		t.Errorf("%+v", got)
	}
	c, err := (&mysql.MySQLDriver{}).OpenConnector("bob:pw@tcp(db:3307)/shop")
	if err != nil {
		t.Fatal(err)
	}
	want := sp.Target{System: sp.MySQL, Host: "db", Port: 3307, Namespace: "shop", User: "bob"}
	if got := openedBy(t, &wrapping{Connector: c, tags: []string{"x"}}); got != want {
		t.Errorf("%+v", got)
	}
}

// clusterConnector names no host, its connections do.
type clusterConnector struct{ driver.Connector }

func (clusterConnector) Target() sp.Target { return sp.Target{System: "trino", Namespace: "events"} }

func (c clusterConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return tellingConn{conn}, err
}

type tellingConn struct{ driver.Conn }

func (tellingConn) Target() sp.Target {
	return sp.Target{System: "trino", Namespace: "events", Host: "second"}
}

func TestAConnectionTellsWhichHostItReached(t *testing.T) {
	t.Parallel()
	var ends []sp.Target
	link := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(error) { ends = append(ends, *call.Target) })
			return next(ctx, call)
		}
	})
	conn := connectorFor{func() (driver.Conn, error) { return &minimalConn{log: &journal{}}, nil }}
	db := sqldb.OpenDB(clusterConnector{conn}, sp.NewChain(link))
	defer db.Close()
	h, err := sqldb.Wrap(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM events"); err != nil {
		t.Fatal(err)
	}
	if len(ends) < 2 {
		t.Fatalf("%d calls, want those of the connection and the statement", len(ends))
	}
	for _, got := range ends {
		if got.Host != "second" || got.Namespace != "events" {
			t.Errorf("a call ended with the target %+v", got)
		}
	}
	if got := h.Target(); got.Host != "" {
		t.Errorf("the handle is of one host: %+v", got)
	}
}
