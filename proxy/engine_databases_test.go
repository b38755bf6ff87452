package proxy_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// databases are what the awaited engine is tested on.
var databases = map[string]func(t *testing.T) (url string){
	"sqlite": func(t *testing.T) string {
		return "sqlite:" + filepath.ToSlash(filepath.Join(t.TempDir(), "test.db"))
	},
	"postgres": func(t *testing.T) string { return dbtest.Postgres(t).Database(t).URL() },
	"mariadb":  func(t *testing.T) string { return dbtest.MariaDB(t).Database(t).URL() },
}

// onEach runs a test on each database, with a table item of 30 rows: id from 1,
// and a name.
func onEach(t *testing.T, test func(t *testing.T, eng *proxy.AsyncEngine)) {
	t.Helper()
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, stocked(t, url(t)))
		})
	}
}

// stocked opens a database and makes its table.
func stocked(t *testing.T, url string, opts ...engine.Option) *proxy.AsyncEngine {
	t.Helper()
	blocking, err := engine.Open(t.Context(), url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := blocking.Stats().InUse; n != 0 {
			t.Errorf("%d connections are still in use", n)
		}
		if err := blocking.Dispose(); err != nil {
			t.Error(err)
		}
	})
	eng, err := proxy.NewAsyncEngine(blocking)
	if err != nil {
		t.Fatal(err)
	}
	sets := make([][]any, 30)
	for i := range sets {
		sets[i] = []any{i + 1, "item"}
	}
	created := eng.Execute(t.Context(), engine.Text("CREATE TABLE item (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL)"))
	must(t, created)
	filled := must(t, eng.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (id, name) VALUES (?, ?)"), sets...))
	if filled.RowsAffected() != 30 {
		t.Fatalf("%d rows were inserted", filled.RowsAffected())
	}
	return eng
}

// must awaits what has to succeed.
func must[T any](t *testing.T, f proxy.Future[T]) T {
	t.Helper()
	v, err := f.Await(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ok awaits what has to succeed.
func ok(t *testing.T, c proxy.Completion) {
	t.Helper()
	if err := c.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// connect takes a connection that is closed with the test.
func connect(t *testing.T, eng *proxy.AsyncEngine, opts ...engine.TxOption) *proxy.AsyncConnection {
	t.Helper()
	c := must(t, eng.Connect(t.Context(), opts...))
	t.Cleanup(func() {
		if err := c.Close(context.Background()).Await(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// count returns how many items ex sees.
func count(t *testing.T, ex proxy.AsyncExecutor) int64 {
	t.Helper()
	return must(t, ex.Scalar(t.Context(), engine.Text("SELECT count(*) FROM item"))).(int64)
}

// insert is a statement that inserts an item.
func insert(id int) engine.Statement {
	return engine.Text("INSERT INTO item (id, name) VALUES (?, 'new')", id)
}
