package engine_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
)

// open opens a database in memory.
func open(t testing.TB, opts ...engine.Option) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), "sqlite::memory:", opts...)
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

// run runs a statement that has to succeed.
func run(t testing.TB, ex engine.Executor, text string, args ...any) *engine.Result {
	t.Helper()
	res, err := ex.Execute(t.Context(), engine.Text(text, args...))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res
}
