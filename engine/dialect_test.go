package engine_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
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
	e := open(t)
	const odd = `a "name"; DROP TABLE x --`
	run(t, e, "CREATE TABLE "+e.Dialect().QuoteName(odd)+" (n INTEGER)")
	if name, _, err := engine.Scalar[string](t.Context(), e, engine.Text("SELECT name FROM sqlite_schema")); name != odd || err != nil {
		t.Errorf("the table is called %q, %v", name, err)
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

func TestTheZeroRowIsEmpty(t *testing.T) {
	t.Parallel()
	var r engine.Row
	values, err := r.Values()
	if r.Len() != 0 || r.Keys() != nil || values != nil || err != nil || r.Scan() != nil {
		t.Error("it has something")
	}
	if _, err := r.Get("a"); err == nil {
		t.Error("a column of it is no error")
	}
	if _, err := r.At(0); err == nil {
		t.Error("a column of it is no error")
	}
}

func TestAnEngineTellsItsNameWithoutThePassword(t *testing.T) {
	t.Parallel()
	e := open(t)
	if e.URL().Scheme != "sqlite" || e.URL().Database != ":memory:" {
		t.Errorf("%s", e.URL())
	}
	if err := e.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	c, err := e.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Engine() != e || c.Dialect() != e.Dialect() || c.NestedTransaction() != nil {
		t.Error("a connection does not know its engine")
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
