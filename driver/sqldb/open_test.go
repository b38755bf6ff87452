package sqldb_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
)

func TestMistakesAreNamedAndSecretsAreNot(t *testing.T) {
	t.Parallel()
	conn := connectorFor{func() (driver.Conn, error) { return &minimalConn{log: &journal{}}, nil }}
	tests := map[string]struct {
		err  error
		want string
	}{
		"unknown driver":  {openErr("nosuch", "postgres://u:hunter22@h/d"), `unknown driver "nosuch"`},
		"malformed dsn":   {openErr("minimal-parsing", "postgres://u:hunter22@h:port/d"), "invalid port"},
		"target":          {openErr("minimal", "", sqldb.WithTarget(sp.Target{})), "WithTarget"},
		"target's port":   {openErr("minimal", "", sqldb.WithTarget(sp.Target{System: sp.MySQL, Port: 70000})), "70000"},
		"idle ping":       {openErr("minimal", "", sqldb.WithIdlePing(0)), "WithIdlePing"},
		"connector's":     {sqldb.OpenDB(conn, sp.Chain{}, sqldb.WithIdlePing(0)).PingContext(t.Context()), "WithIdlePing"},
		"refused connect": {pingErr("minimal-refusing", "u:hunter22@tcp(h:1)/d"), "access denied for u:xxxxx"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", test.err, test.want)
			}
			if strings.Contains(test.err.Error(), "hunter22") {
				t.Errorf("the password is in the error: %v", test.err)
			}
		})
	}
}

func openErr(name, dsn string, opts ...sqldb.Option) error {
	db, err := sqldb.Open(name, dsn, sp.Chain{}, opts...)
	if err == nil {
		_ = db.Close()
	}
	return err
}

func pingErr(name, dsn string) error {
	db, err := sqldb.Open(name, dsn, sp.NewChain(&recorder{}))
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Ping()
}

type parsingDriver struct{ fakeDriver }

func (d parsingDriver) OpenConnector(dsn string) (driver.Connector, error) {
	return nil, errors.New(`parse "` + dsn + `": invalid port`)
}

func init() {
	ok := fakeDriver{func() (driver.Conn, error) { return &minimalConn{log: &journal{}}, nil }}
	sql.Register("minimal", ok)
	sql.Register("minimal-parsing", parsingDriver{})
	sql.Register("minimal-refusing", fakeDriver{func() (driver.Conn, error) {
		return nil, errors.New("access denied for u:hunter22")
	}})
	sqldb.Register("minimal-registered", ok, sp.NewChain(registered))
	sqldb.Register("leaky-connect", leaky{}, sp.NewChain(&recorder{}))
	sqldb.Register("minimal-misregistered", ok, sp.Chain{}, sqldb.WithIdlePing(0))
}

var registered = &recorder{}

func TestRegisteredDriversPassThroughTheirChain(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("minimal-registered", "any")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "insert"); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(registered.ops(), sp.OpExec) {
		t.Errorf("the chain saw %v", registered.ops())
	}
	if db, err := sql.Open("minimal-misregistered", "any"); err == nil {
		_ = db.Close()
		t.Error("a bad option of Register was accepted")
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"postgres://u:p@h:1/d", "u:p@tcp(h:1)/d?x=/", "host='a\\'b' x", "file:x?y"} {
		f.Add("pgx", seed)
		f.Add("mysql", seed)
		f.Add("sqlite", seed)
	}
	f.Fuzz(func(t *testing.T, driver, dsn string) {
		got := sqldb.ParseTarget(driver, dsn)
		if got.System == "" {
			t.Error("a target without a system")
		}
	})
}
