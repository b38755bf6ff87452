package mysql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMistakesInParametersAreNamed(t *testing.T) {
	t.Parallel()
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	const base = "mysql://u:hunter2@127.0.0.1:1/db?"
	for params, names := range map[string]string{
		"tls=maybe":                        `parameter "tls" of mysql: "maybe"`,
		"tls=false&tls_ca=" + noPEM:        `parameter "tls"`,
		"tls_ca=/no/such/file":             `"tls_ca"`,
		"tls_ca=" + noPEM:                  "no certificate",
		"tls_cert=/no/such/file":           `"tls_cert"`,
		"connect_timeout=never":            `"connect_timeout" of mysql: "never"`,
		"connect_timeout=-3s":              `"connect_timeout"`,
		"read_timeout=1":                   "",
		"write_timeout=x":                  `"write_timeout"`,
		"max_allowed_packet=lots":          `"max_allowed_packet"`,
		"max_allowed_packet=-1":            `"max_allowed_packet"`,
		"application_name=a,b":             `"application_name"`,
		"application_name=a:b":             `"application_name"`,
		"sql_mode=':drop":                  `"sql_mode"`,
		"statement_cache=-1":               `"statement_cache"`,
		"statement_cache=99999999":         `"statement_cache"`,
		"charset=utf8":                     `unknown parameter "charset"`,
		"parseTime=true":                   `unknown parameter "parseTime"`,
		"password=hunter2":                 `unknown parameter "password"`,
		"collation=utf8mb4_bin&collation=": `"collation"`,
	} {
		_, err := engine.Open(t.Context(), base+params, engine.WithLazyConnect())
		if names == "" {
			if err != nil {
				t.Errorf("%s: %v", params, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: the error %v does not name %s", params, err, names)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", params, err)
		}
	}
	if _, err := engine.Open(t.Context(), "mariadb://h/a%2Fb"); err == nil || !strings.Contains(err.Error(), "database") {
		t.Errorf("a name with a slash: %v", err)
	}
}

func TestOpenSaysWhyItCantConnect(t *testing.T) {
	t.Parallel()
	_, err := engine.Open(t.Context(), "mysql://u:hunter2@127.0.0.1:1/db")
	if err == nil || !strings.Contains(err.Error(), "mysql://u:xxxxx@127.0.0.1:1/db") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
	d := dbtest.MariaDB(t).Database(t)
	_, err = engine.Open(t.Context(), strings.Replace(d.URL(), d.Password, "hunter2", 1))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "denied") {
		t.Errorf("a wrong password: %v", err)
	}
}

// open opens a database of the test's own.
func open(t *testing.T, params ...string) *engine.Engine {
	t.Helper()
	return openURL(t, dbtest.MariaDB(t).Database(t).URL(params...))
}

func openURL(t *testing.T, url string, opts ...engine.Option) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Dispose(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func scalar(t *testing.T, ex engine.Executor, text string, args ...any) any {
	t.Helper()
	res, err := ex.Execute(t.Context(), engine.Text(text, args...))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := res.Scalar()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestTheServerTellsWhatItIs(t *testing.T) {
	t.Parallel()
	d := dbtest.MariaDB(t).Database(t)
	for _, scheme := range []string{"mysql", "mariadb"} {
		e := openURL(t, scheme+strings.TrimPrefix(d.URL(), "mysql"))
		dialect := e.Dialect()
		if dialect.System != sp.MariaDB || !strings.Contains(dialect.Version, "MariaDB") || !dialect.Features.InsertReturning || dialect.Features.UpdateReturning {
			t.Errorf("%s is %+v", scheme, dialect)
		}
	}
}

func TestSocketsAreHosts(t *testing.T) {
	t.Parallel()
	d := dbtest.MariaDB(t).Database(t)
	if d.Socket == "" {
		t.Skip("the server has no socket that is known")
	}
	e := openURL(t, "mariadb://"+d.User+":"+d.Password+"@"+strings.ReplaceAll(d.Socket, "/", "%2F")+"/"+d.Name)
	if got := scalar(t, e, "SELECT DATABASE()"); got != d.Name {
		t.Errorf("connected to %v", got)
	}
}

func TestTheSessionIsSetUp(t *testing.T) {
	t.Parallel()
	e := open(t, "sql_mode=ANSI", "application_name=shop", "collation=utf8mb4_bin")
	for query, want := range map[string]any{
		"SELECT @@session.time_zone":                           "+00:00",
		"SELECT @@session.collation_connection":                "utf8mb4_bin",
		"SELECT @@session.sql_mode LIKE '%ANSI%'":              int64(1),
		"SELECT @@session.character_set_client":                "utf8mb4",
		"SELECT TIMESTAMPDIFF(SECOND, NOW(), UTC_TIMESTAMP())": int64(0),
	} {
		if got := scalar(t, e, query); got != want {
			t.Errorf("%s: %#v, want %#v", query, got, want)
		}
	}
}

// TestTheFirstServerThatAnswersIsTaken names a server that does not exist before
// the one that does.
func TestTheFirstServerThatAnswersIsTaken(t *testing.T) {
	t.Parallel()
	d := dbtest.MariaDB(t).Database(t)
	url := "mysql://" + d.User + ":" + d.Password + "@127.0.0.1:1," + d.Host + ":" + strconv.Itoa(d.Port) + "/" + d.Name + ""
	if got := scalar(t, openURL(t, url), "SELECT 7"); fmt.Sprint(got) != "7" {
		t.Error(got)
	}
}
