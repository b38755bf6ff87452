package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
)

func TestMistakesInParametersAreNamed(t *testing.T) {
	t.Parallel()
	for url, names := range map[string]string{
		"sqlite:":                       "no file",
		"sqlite://":                     "no file",
		"sqlite:a.db?busy_timeout=soon": `parameter "busy_timeout" of sqlite: "soon"`,
		"sqlite:a.db?busy_timeout=-1s":  `"busy_timeout"`,
		"sqlite:a.db?busy_timeout=1s&busy_timeout=2s": "more than once",
		"sqlite:a.db?journal_mode=fast":               "delete, truncate, persist",
		"sqlite:a.db?synchronous=maybe":               `"synchronous" of sqlite: "maybe"`,
		"sqlite:a.db?foreign_keys=2":                  `"foreign_keys" of sqlite: "2"`,
		"sqlite:a.db?cache_size=big":                  `"cache_size" of sqlite: "big"`,
		"sqlite:a.db?cache_size=1e3":                  `"cache_size"`,
		"sqlite:a.db?mode=rwx":                        `"mode" of sqlite: "rwx"`,
		"sqlite::memory:?mode=ro":                     `"mode"`,
		"sqlite:a.db?journalmode=wal":                 `unknown parameter "journalmode"`,
		"sqlite:a.db?_pragma=foreign_keys(1)":         `unknown parameter "_pragma"`,
		"sqlite:a.db?mode":                            `parameter "mode" has no value`,
	} {
		_, err := engine.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: the error %v does not name %s", url, err, names)
		}
	}
}

func TestAFileThatCantBeOpenedIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "a.db")
	_, err := engine.Open(t.Context(), "sqlite:"+path)
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a folder that is missing: %v", err)
	}
	_, err = engine.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db")+"?mode=rw")
	if err == nil {
		t.Error("a file that is missing is opened with mode=rw")
	}
	// Meant as an absolute path, by someone who does not come from SQLAlchemy.
	here, err := filepath.Abs("missing/a.db")
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Open(t.Context(), "sqlite:///missing/a.db")
	for _, part := range []string{here, "sqlite:////missing/a.db"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("three slashes: the error %v does not say %s", err, part)
		}
	}
}

// TestSlashesMeanWhatTheyDoToSQLAlchemy opens one file by each of its names.
func TestSlashesMeanWhatTheyDoToSQLAlchemy(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	exec(t, open(t, "sqlite:///a.db"), "CREATE TABLE t AS SELECT 7 AS n")
	for _, url := range []string{"sqlite:a.db", "sqlite+aiosqlite:///a.db", "sqlite:" + folder + "/a.db", "sqlite:///" + folder + "/a.db"} {
		if n, err := exec(t, open(t, url), "SELECT n FROM t").Scalar(); n != int64(7) || err != nil {
			t.Errorf("%s: %v, %v", url, n, err)
		}
	}
}

// pragma reads a setting of the connection that ex uses.
func pragma(t *testing.T, ex engine.Executor, name string) any {
	t.Helper()
	v, err := exec(t, ex, "PRAGMA "+name).Scalar()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPragmasAreSaneUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]map[string]any{
		"": {"journal_mode": "wal", "foreign_keys": int64(1), "busy_timeout": int64(5000), "synchronous": int64(2)},
		"?journal_mode=delete&foreign_keys=off&busy_timeout=7&synchronous=normal&cache_size=-4000": {
			"journal_mode": "delete", "foreign_keys": int64(0), "busy_timeout": int64(7000), "synchronous": int64(1), "cache_size": int64(-4000),
		},
	} {
		e := open(t, urls["file"](t)+params)
		for name, v := range want {
			if got := pragma(t, e, name); got != v {
				t.Errorf("%s: %s is %v, want %v", params, name, got, v)
			}
		}
	}
}

func TestReadersDoNotWaitForTheWriter(t *testing.T) {
	t.Parallel()
	e := open(t, urls["file"](t), engine.WithPoolTimeout(50*time.Millisecond))
	exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
	writer, err := e.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close(t.Context())
	exec(t, writer, "INSERT INTO item (name) VALUES ('a')")
	if n := count(t, e); n != 0 {
		t.Errorf("a reader sees %d rows that are not committed", n)
	}
	reader, err := e.Begin(t.Context(), engine.WithReadOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(t.Context())
	count(t, reader)
	// A second writer waits, and not for ever.
	var timeout *engine.PoolTimeoutError
	if _, err := e.Execute(t.Context(), engine.Text("DELETE FROM item")); !errors.As(err, &timeout) || timeout.Max != 1 {
		t.Errorf("a second writer: %v", err)
	}
	if err := writer.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, reader); n != 0 {
		t.Errorf("a snapshot changed: %d rows", n)
	}
	if n := count(t, e); n != 1 {
		t.Errorf("%d rows after the commit", n)
	}
}

func TestManyWritersGetTheirTurns(t *testing.T) {
	t.Parallel()
	e := open(t, urls["file"](t))
	exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
	exec(t, e, "INSERT INTO item (id, name) VALUES (1, '0')")
	const workers, rounds = 8, 20
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				// Reads before it writes, which is what fails with SQLITE_BUSY in
				// transactions that begin DEFERRED.
				if err := e.RunInTx(t.Context(), func(ctx context.Context, tx *engine.Tx) error {
					res, err := tx.Execute(ctx, engine.Text("SELECT name FROM item WHERE id = 1"))
					if err != nil {
						return err
					}
					if _, err := res.ScalarOne(); err != nil {
						return err
					}
					_, err = tx.Execute(ctx, engine.Text("UPDATE item SET name = name + 1 WHERE id = 1"))
					return err
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	v, err := exec(t, e, "SELECT name FROM item").ScalarOne()
	if err != nil || v != "160" {
		t.Errorf("%v, %v", v, err)
	}
}

func TestAFileOpenedForReadingIsNotWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	e := open(t, "sqlite:"+path)
	exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
	exec(t, e, "INSERT INTO item (name) VALUES ('a')")
	if err := e.Dispose(); err != nil {
		t.Fatal(err)
	}
	ro := open(t, "sqlite:"+path+"?mode=ro")
	if n := count(t, ro); n != 1 {
		t.Errorf("%d rows", n)
	}
	if _, err := ro.Execute(t.Context(), engine.Text("DELETE FROM item")); err == nil {
		t.Error("a write is no error")
	}
}

func TestTimesSortAsText(t *testing.T) {
	t.Parallel()
	e := open(t, "sqlite::memory:")
	exec(t, e, "CREATE TABLE ev (id INTEGER PRIMARY KEY, at TIMESTAMP)")
	east := time.FixedZone("", 5*3600)
	early := time.Date(2024, 1, 1, 23, 0, 0, 0, east) // 18:00 UTC
	late := time.Date(2024, 1, 1, 20, 0, 0, 5000, time.UTC)
	exec(t, e, "INSERT INTO ev (id, at) VALUES (1, ?), (2, ?)", late, early)
	v, err := exec(t, e, "SELECT id FROM ev ORDER BY at").Scalar()
	if err != nil || v != int64(2) {
		t.Errorf("first is %v, %v", v, err)
	}
	// SQLite's own functions read what was written.
	v, err = exec(t, e, "SELECT strftime('%Y-%m-%d %H:%M', at) FROM ev WHERE id = 2").Scalar()
	if err != nil || v != "2024-01-01 18:00" {
		t.Errorf("strftime says %v, %v", v, err)
	}
}

func TestMemoryIsOneDatabasePerEngine(t *testing.T) {
	t.Parallel()
	a, b := open(t, "sqlite::memory:"), open(t, "sqlite::memory:")
	exec(t, a, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
	if _, err := b.Execute(t.Context(), engine.Text("SELECT * FROM item")); err == nil {
		t.Error("two engines share a database in memory")
	}
	var wg sync.WaitGroup
	for i := range 20 { // and many goroutines share one
		wg.Go(func() { exec(t, a, "INSERT INTO item (id) VALUES (?)", i) })
	}
	wg.Wait()
	if n := count(t, a); n != 20 {
		t.Errorf("%d rows", n)
	}
	if err := a.Dispose(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Execute(t.Context(), engine.Text("SELECT * FROM item")); err == nil {
		t.Error("the database outlives its only connection")
	}
}

func TestNothingIsOpenAfterDispose(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	e := open(t, "sqlite:"+path)
	exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
	if err := e.Dispose(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log of the database is still there: %v", err)
	}
}

func TestKeptStatementsSeeTheSchemaAsItIs(t *testing.T) {
	t.Parallel()
	for _, params := range []string{"", "?statement_cache=0", "?statement_cache=1"} {
		e := open(t, "sqlite::memory:"+params)
		exec(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY)")
		exec(t, e, "INSERT INTO item (id) VALUES (?)", 1)
		for _, want := range []int{1, 2, 3} {
			res := exec(t, e, "SELECT * FROM item")
			if got := len(res.Keys()); got != want {
				t.Errorf("%q: %d columns, want %d", params, got, want)
			}
			exec(t, e, "ALTER TABLE item ADD COLUMN c"+string(rune('a'+want))+" TEXT DEFAULT 'x'")
		}
		exec(t, e, "DROP TABLE item")
		if _, err := e.Execute(t.Context(), engine.Text("SELECT * FROM item")); err == nil {
			t.Errorf("%q: a table that was dropped is read", params)
		}
	}
}

// TestFilesOfOneNameAreTwoDatabases holds that circuits and the like are not
// shared by files in two folders, nor by databases in memory.
func TestFilesOfOneNameAreTwoDatabases(t *testing.T) {
	t.Parallel()
	target := func(url string) sp.Target {
		eng, err := engine.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer eng.Dispose()
		return *eng.Target()
	}
	a, b := t.TempDir(), t.TempDir()
	one := target("sqlite:///" + a + "/app.db")
	if one.Namespace != "app.db" || one == target("sqlite:///"+b+"/app.db") || one != target("sqlite:///"+a+"/app.db?mode=ro") {
		t.Errorf("the target of a file: %+v", one)
	}
	if a, b := target("sqlite:///:memory:"), target("sqlite:///:memory:"); a == b {
		t.Error("two databases in memory are one target")
	}
}
