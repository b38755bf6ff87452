package engine_test

import (
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

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

func TestANameInQuotesIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	e := open(t)
	const odd = `a "name"; DROP TABLE x --`
	run(t, e, "CREATE TABLE "+e.Dialect().QuoteName(odd)+" (n INTEGER)")
	if name, _, err := engine.Scalar[string](t.Context(), e, engine.Text("SELECT name FROM sqlite_schema")); name != odd || err != nil {
		t.Errorf("the table is called %q, %v", name, err)
	}
}

func TestASchemeWithoutDialectNamesTheImport(t *testing.T) {
	t.Parallel()
	// Nothing in this test binary imports a dialect but SQLite's.
	for scheme, pkg := range map[string]string{
		"postgres": "engine/postgres", "postgresql": "engine/postgres", "mysql": "engine/mysql", "mariadb": "engine/mysql",
	} {
		_, err := engine.Open(t.Context(), scheme+"://h/db")
		if err == nil || !strings.Contains(err.Error(), `import _ "github.com/sessionproxy/sessionproxy/`+pkg+`"`) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestAnUnknownSchemeIsNamed(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"postgrse", "oracle"} {
		_, err := engine.Open(t.Context(), scheme+"://u:secret@h/db")
		if err == nil || !strings.Contains(err.Error(), `unknown scheme "`+scheme+`"`) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
