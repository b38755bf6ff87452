package sqlite_test

import (
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Without a chain too: INSERT OR ROLLBACK undoes the transaction when it fails,
// and what came after it would be committed by itself.
func TestAStatementThatEndsTheTransactionIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, url(t))
			exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
			exec(t, e, "INSERT INTO item (name) VALUES ('taken')")
			c, err := e.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			exec(t, c, "INSERT INTO item (name) VALUES ('undone')")
			if _, err := c.Execute(t.Context(), engine.Text("INSERT OR ROLLBACK INTO item (name) VALUES ('taken')")); err == nil {
				t.Fatal("no error")
			}
			if _, err := c.Execute(t.Context(), engine.Text("INSERT INTO item (name) VALUES ('alone')")); err == nil {
				t.Error("a statement was sent into a transaction that is gone")
			}
			if err := c.Commit(t.Context()); err == nil {
				t.Error("the commit succeeded")
			}
			if err := c.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, e); n != 1 {
				t.Errorf("%d rows, want the one from before", n)
			}
		})
	}
}
