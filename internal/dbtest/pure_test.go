package dbtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestDSNsRoundTrip(t *testing.T) {
	t.Parallel()
	for kind, parse := range map[Kind]func(string) (Database, error){KindPostgres: parseURL, KindMariaDB: parseDSN} {
		db := Database{
			Kind: kind, Name: "n", Host: "db.example", Port: 1234, User: "u", Password: "p:@/?#p",
			params: map[string][]string{"a": {"b/c"}, "sslmode": {"require"}},
		}
		got, err := parse(db.DSN())
		if err != nil || !reflect.DeepEqual(got, db) {
			t.Errorf("%s: %#v, %v", kind, got, err)
		}
	}
}

func TestMalformedDSNIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "secret", "/", "@/", "secret@/", "mysql://u:secret@h/n", "postgres://u:secret@h:x/n", "postgres://:secret@h/n",
		"postgres://u:secret@h", "u:secret@unix(/s)/n", "u:secret@tcp(h)/n", "u:secret@tcp(h:x)/n", "u:secret@tcp(h:1)/",
		"u:secret@tcp(h:1)/n?%secret", ":secret@tcp(h:1)/n", "\x00secret",
	}
	for _, text := range texts {
		for _, parse := range []func(string) (Database, error){parseURL, parseDSN} {
			_, err := parse(text)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	pg := Database{Kind: KindPostgres, Name: "n", Host: "127.0.0.1", Port: 1, Socket: "/s/.s.PGSQL.1", User: "u", Password: "p"}
	my := Database{Kind: KindMariaDB, Name: "n", Host: "127.0.0.1", Port: 1, Socket: "/s/socket", User: "u", Password: "p"}
	for want, got := range map[string]string{
		"postgresql://u@127.0.0.1:1/n":                             fmt.Sprint(pg),
		"postgres://u:p@127.0.0.1:1/n?sslmode=disable":             pg.URL(),
		"postgres://u:p@127.0.0.1:1/n?a=b&sslmode=prefer":          pg.DSN("sslmode=prefer", "a=b"),
		"postgres://u:p@/n?host=%2Fs&port=1&sslmode=disable":       pg.SocketDSN(),
		"mysql://u:p@127.0.0.1:1/n":                                my.URL(),
		"u:p@tcp(127.0.0.1:1)/n":                                   my.DSN(),
		"u:p@tcp(127.0.0.1:1)/n?parseTime=true":                    my.DSN("parseTime=true"),
		"u:p@unix(/s/socket)/n?loc=Europe%2FBerlin&parseTime=true": my.SocketDSN("parseTime=true", "loc=Europe/Berlin"),
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestDatabaseNamesAreUniqueIdentifiers(t *testing.T) {
	t.Parallel()
	valid := regexp.MustCompile(`^dbt_[a-z0-9_]{1,59}$`)
	seen := map[string]bool{}
	for _, test := range []string{"TestX", "TestX", "Test", "Test/ä #1`'\"", strings.Repeat("Long", 100)} {
		name := databaseName(test)
		if !valid.MatchString(name) || seen[name] {
			t.Errorf("databaseName(%q) = %q", test, name)
		}
		seen[name] = true
	}
}

func TestNewestServerIsFound(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, version := range []string{"9.6", "15", "10"} {
		folder := filepath.Join(root, version, "bin")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"dbtest-server", "dbtest-client"} {
			if err := os.WriteFile(filepath.Join(folder, program), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	bin, err := locate([]string{"dbtest-server", "dbtest-client", "sh"}, []string{root + "/*/bin"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"dbtest-server", "dbtest-client"} {
		if want := filepath.Join(root, "15/bin", program); bin[program] != want {
			t.Errorf("found %s, want %s", bin[program], want)
		}
	}
	first := filepath.Join(root, "10/bin")
	if bin, err = locate([]string{"dbtest-server", "sh"}, []string{root + "/*/bin"}, first); err != nil || filepath.Dir(bin["dbtest-server"]) != first {
		t.Errorf("found %v, %v; want the server of %s", bin, err, first)
	}
	if _, err = locate([]string{"dbtest-none"}, nil, ""); !errors.Is(err, errMissing) {
		t.Errorf("locate(none) = %v", err)
	}
}

// witness records how a test was ended, and does not end.
type witness struct {
	testing.TB

	skipped, failed bool
}

func (*witness) Helper()                {}
func (w *witness) Skipf(string, ...any) { w.skipped = true }
func (w *witness) Fatal(...any)         { w.failed = true }

func TestMissingServerSkipsOnlyWhereNothingDemandsIt(t *testing.T) {
	rows := []struct {
		env    map[string]string
		err    error
		failed bool
	}{
		{env: nil, err: errMissing, failed: false},
		{env: map[string]string{"CI": "true"}, err: errMissing, failed: true},
		{env: map[string]string{"CI": "false"}, err: errMissing, failed: false},
		{env: map[string]string{envRequire: "1"}, err: errMissing, failed: true},
		{env: nil, err: os.ErrPermission, failed: true},
	}
	for _, row := range rows {
		t.Setenv("CI", "")
		t.Setenv(envRequire, "")
		for key, value := range row.env {
			t.Setenv(key, value)
		}
		w := &witness{TB: t}
		unavailable(w, fmt.Errorf("dbtest: find it: %w", row.err))
		if w.failed != row.failed {
			t.Errorf("%v with %v: failed = %v, skipped = %v", row.err, row.env, w.failed, w.skipped)
		}
	}
}
