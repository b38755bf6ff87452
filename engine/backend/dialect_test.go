package backend_test

import (
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
)

var (
	postgres = &backend.Dialect{System: sp.PostgreSQL, Placeholder: backend.Dollar, Quote: '"'}
	mariadb  = &backend.Dialect{System: sp.MariaDB, Placeholder: backend.Question, Quote: '`'}
)

func TestNamesInQuotesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"item":       {`"item"`, "`item`"},
		"Order":      {`"Order"`, "`Order`"},
		`a"b`:        {`"a""b"`, "`a\"b`"},
		"a`b":        {"\"a`b\"", "`a``b`"},
		"":           {`""`, "``"},
		"nul\x00ish": {`"nulish"`, "`nulish`"},
	} {
		if got := [2]string{postgres.QuoteName(name), mariadb.QuoteName(name)}; got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestPlaceholdersAreNumberedWhereTheyHaveNumbers(t *testing.T) {
	t.Parallel()
	if got := string(postgres.AppendPlaceholder([]byte("a = "), 12)); got != "a = $12" {
		t.Error(got)
	}
	if got := string(mariadb.AppendPlaceholder(nil, 12)); got != "?" {
		t.Error(got)
	}
}
