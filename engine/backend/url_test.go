package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine/backend"
)

func TestURLSaysWhatItNames(t *testing.T) {
	t.Parallel()
	type parts struct {
		scheme, user, password, host string
		port                         int
		database                     string
	}
	for in, want := range map[string]parts{
		"postgres://u:p@h:5433/db":              {"postgres", "u", "p", "h", 5433, "db"},
		"POSTGRES://h/db":                       {"postgres", "", "", "h", 0, "db"},
		"postgresql://h":                        {"postgresql", "", "", "h", 0, ""},
		"mysql://u%40x:p%3A%2Fw%25@h/d%20b":     {"mysql", "u@x", "p:/w%", "h", 0, "d b"},
		"mysql://u:p@w@h/db":                    {"mysql", "u", "p@w", "h", 0, "db"},
		"mariadb://[2001:db8::1]:3307/db":       {"mariadb", "", "", "2001:db8::1", 3307, "db"},
		"mysql://[::1]/db":                      {"mysql", "", "", "::1", 0, "db"},
		"postgres://%2Frun%2Fpostgresql/db":     {"postgres", "", "", "/run/postgresql", 0, "db"},
		"postgresql+asyncpg://h/db":             {"postgresql", "", "", "h", 0, "db"},
		"mysql+aiomysql://h/db":                 {"mysql", "", "", "h", 0, "db"},
		"sqlite+aiosqlite:a.db":                 {"sqlite", "", "", "", 0, "a.db"},
		"postgres://u:p@h:1,[::1]:2,i/db":       {"postgres", "u", "p", "h", 1, "db"},
		"sqlite::memory:":                       {"sqlite", "", "", "", 0, ":memory:"},
		"sqlite:a/b.db?mode=ro":                 {"sqlite", "", "", "", 0, "a/b.db"},
		"sqlite:////var/lib/a%3Fb.db":           {"sqlite", "", "", "", 0, "/var/lib/a?b.db"},
		"sqlite+aiosqlite:///a/b.db":            {"sqlite", "", "", "", 0, "a/b.db"},
		"sqlite:///:memory:":                    {"sqlite", "", "", "", 0, ":memory:"},
		"sqlite:/var/lib/a.db":                  {"sqlite", "", "", "", 0, "/var/lib/a.db"},
		"postgres://:only@h/db":                 {"postgres", "", "only", "h", 0, "db"},
		"cockroach+pgx://h/db":                  {"cockroach+pgx", "", "", "h", 0, "db"},
		"postgres:///db?host=%2Frun%2Fpg&a=%26": {"postgres", "", "", "", 0, "db"},
	} {
		u, err := backend.ParseURL(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		password, _ := u.Password()
		if got := (parts{u.Scheme, u.User, password, u.Host, u.Port, u.Database}); got != want {
			t.Errorf("%s is %+v, want %+v", in, got, want)
		}
	}
}

// mistakes are URLs with one mistake each, and what their error has to name.
var mistakes = []struct{ url, names string }{
	{"", "no scheme"},
	{"shop.db", "no scheme"},
	{":memory:", "no scheme"},
	{"postgres", "no scheme"},
	{"post gres://h/db", "scheme"},
	{"1sql://h/db", "scheme"},
	{"postgres://h:x/db", "the port is no number"},
	{"postgres://h:0/db", "the port is no number"},
	{"postgres://h:65536/db", "the port is no number"},
	{"postgres://h:-1/db", "the port is no number"},
	{"postgres://h:/db", "the port is no number"},
	{"postgres://2001:db8::1/db", "IPv6"},
	{"postgres://[::1/db", "brackets"},
	{"postgres://[::1]5432/db", "brackets"},
	{"postgres://a b/db", "the host is no name"},
	{"postgres://h%zz/db", "host"},
	{"postgres://u%zz@h/db", "user"},
	{"postgres://u:secret%zz@h/db", "password"},
	{"postgres://h/d%zz", "database"},
	{"postgres://h/d%00", "NUL"},
	{"postgres://h/db#frag", "%23"},
	{"postgres://h/db?sslmode", `parameter "sslmode" has no value`},
	{"postgres://h/db?=on", "name is empty"},
	{"postgres://h/db?%zz=on", "name is empty or badly encoded"},
	{"postgres://h/db?a=%zz", `parameter "a"`},
	{"postgres://app:secret/tail@h/db", "percent-encoded"},
	{"postgres://app:secret?tail@h/db", "percent-encoded"},
	{"postgres://app:1/secret@h/db", "percent-encoded"},
	{"mysql://app:secret#tail@h/db", "percent-encoded"},
	{"postgres://app:secret", "the port is no number"},
	{"postgres://secret word/db", "the host is no name"},
	{"postgres://h/db?user=app&password=a&secret", "has no value"},
	{"sqlite://relative.db", "no host"},
	{"sqlite://localhost/abs.db", "no host"},
}

func TestMistakesInURLsAreNamed(t *testing.T) {
	t.Parallel()
	for _, m := range mistakes {
		_, err := backend.ParseURL(m.url)
		if err == nil || !strings.Contains(err.Error(), m.names) {
			t.Errorf("%s: the error %v does not name %s", m.url, err, m.names)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", m.url, err)
		}
	}
}

func TestURLNeverPrintsItsSecrets(t *testing.T) {
	t.Parallel()
	u, err := backend.ParseURL("postgres://u:hunter2@h/db?sslpassword=hunter2&access_token=hunter2&a=b")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(verb, u); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if want := "postgres://u:xxxxx@h/db?a=b&access_token=xxxxx&sslpassword=xxxxx"; u.String() != want {
		t.Errorf("%s, want %s", u, want)
	}
}

func FuzzURL(f *testing.F) {
	for _, m := range mistakes {
		f.Add(m.url)
	}
	f.Add("postgres://u:p%40@[::1]:5433/d%20b?sslmode=require&a=1&a=2")
	f.Add("sqlite:///x%25?y")
	f.Add("sqlite:////x%25")
	f.Fuzz(func(t *testing.T, in string) {
		u, err := backend.ParseURL(in)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "engine: ") {
				t.Errorf("%q: %v", in, err)
			}
			return
		}
		// What it prints names the same database, but for the secrets.
		again, err := backend.ParseURL(u.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", in, u, err)
		}
		if again.String() != u.String() || again.Database != u.Database || again.Host != u.Host || again.User != u.User {
			t.Errorf("%q prints as %q, which prints as %q", in, u, again)
		}
	})
}

func TestURLNamesSeveralServers(t *testing.T) {
	t.Parallel()
	const in = "postgres://u@one:1,[::1]:2,three/db?target_session_attrs=any"
	u, err := backend.ParseURL(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []backend.Address{{Host: "::1", Port: 2}, {Host: "three"}}
	if !slices.Equal(u.More, want) || u.Host != "one" || u.Port != 1 || u.String() != in {
		t.Errorf("%+v, printed %s", u.More, u)
	}
	for _, wrong := range []string{"postgres://one,/db", "postgres://,two/db", "postgres://one:x,two/db", "postgres://one,two:99999/db"} {
		if _, err := backend.ParseURL(wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
