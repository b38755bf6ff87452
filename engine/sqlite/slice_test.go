package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// open opens a database in memory.
func open(t *testing.T, url string, opts ...engine.Option) *engine.Engine {
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

func exec(t *testing.T, ex engine.Executor, text string, args ...any) *engine.Result {
	t.Helper()
	res, err := ex.Execute(t.Context(), engine.Text(text, args...))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res
}

func count(t *testing.T, ex engine.Executor) int64 {
	t.Helper()
	n, err := exec(t, ex, "SELECT count(*) FROM item").ScalarOne()
	if err != nil {
		t.Fatal(err)
	}
	return n.(int64)
}

// escaper writes a path into a URL.
var escaper = strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23")

var urls = map[string]func(t *testing.T) string{
	"memory": func(*testing.T) string { return "sqlite::memory:" },
	"file": func(t *testing.T) string {
		return "sqlite:" + escaper.Replace(filepath.Join(t.TempDir(), "a b?#%.db"))
	},
}

func TestUnitOfWorkCommitsOrRollsBack(t *testing.T) {
	t.Parallel()
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, url(t))
			exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
			boom := errors.New("boom")
			for _, fail := range []error{nil, boom} {
				err := e.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
					res, err := tx.Execute(ctx, engine.Text("INSERT INTO item (name) VALUES (?)", "bolt"))
					if err != nil {
						return err
					}
					if id, ok := res.LastInsertID(); !ok || id != 1 {
						t.Errorf("key is %d, %t", id, ok)
					}
					return fail
				})
				if fail == nil && err != nil {
					t.Fatal(err)
				}
				if fail != nil {
					var violated *integrity.Error
					if !errors.As(err, &violated) || violated.Kind != integrity.Unique {
						t.Fatalf("error is %v", err)
					}
				}
			}
			if n := count(t, e); n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

func TestConnBeginsByItselfAndRollsBackOnClose(t *testing.T) {
	t.Parallel()
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, url(t))
			exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
			c, err := e.Connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.InTransaction() {
				t.Error("in a transaction before the first statement")
			}
			exec(t, c, "INSERT INTO item (name) VALUES ('kept')")
			if err := c.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			exec(t, c, "INSERT INTO item (name) VALUES ('lost')")
			if !c.InTransaction() || !c.Transaction().IsActive() {
				t.Error("not in a transaction after a statement")
			}
			if _, err := c.Begin(t.Context()); !errors.Is(err, engine.ErrTransactionBegun) {
				t.Errorf("second begin: %v", err)
			}
			nested, err := c.BeginNested(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			exec(t, nested, "INSERT INTO item (name) VALUES ('undone')")
			if err := nested.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, c); n != 2 {
				t.Errorf("%d rows after the savepoint", n)
			}
			if err := nested.Commit(t.Context()); !errors.Is(err, engine.ErrTransactionClosed) {
				t.Errorf("commit of a savepoint that was rolled back: %v", err)
			}
			if err := c.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, e); n != 1 {
				t.Errorf("%d rows", n)
			}
			if _, err := c.Execute(t.Context(), engine.Text("SELECT 1")); !errors.Is(err, engine.ErrClosed) {
				t.Errorf("use after close: %v", err)
			}
		})
	}
}
