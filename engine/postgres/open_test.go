package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func TestMistakesInParametersAreNamed(t *testing.T) {
	t.Parallel()
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, names := range map[string]string{
		"postgres://u:hunter2@127.0.0.1:1/db?sslmode=maybe":                            `parameter "sslmode" of postgres: "maybe"`,
		"postgres://u:hunter2@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=/no/such": "/no/such",
		"postgres://u:hunter2@127.0.0.1:1/db?sslmode=verify-ca&sslrootcert=" + noPEM:   "CA",
		"postgres://u:hunter2@127.0.0.1:1/db?connect_timeout=never":                    `"connect_timeout"`,
		"postgres://u:hunter2@127.0.0.1:1/db?statement_timeout=x":                      `"statement_timeout" of postgres: "x"`,
		"postgres://u:hunter2@127.0.0.1:1/db?lock_timeout=-1s":                         `"lock_timeout"`,
		"postgres://u:hunter2@127.0.0.1:1/db?target_session_attrs=best":                `"target_session_attrs"`,
		"postgres://u:hunter2@127.0.0.1:1/db?statement_cache=-1":                       `"statement_cache"`,
		"postgres://u:hunter2@127.0.0.1:1/db?host=/run":                                `parameter "host"`,
		"postgresql:///db?host=run":                                                    `parameter "host" of postgresql`,
		"postgres://u:hunter2@127.0.0.1:1/db?pooler=session":                           `"pooler" of postgres: "session"`,
		"postgres://u:hunter2@127.0.0.1:1/db?pooler=transaction&search_path=a":         `"search_path" of postgres: is kept for a session`,
		"postgres://u:hunter2@one,two/db?load_balance_hosts=random":                    `"load_balance_hosts" of postgres: pgx has no such parameter`,
		"postgres://u:hunter2@127.0.0.1:1/db?pool_max_conns=3":                         `unknown parameter "pool_max_conns"`,
		"postgres://u:hunter2@127.0.0.1:1/db?password=hunter2":                         `unknown parameter "password"`,
		"postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable&sslmode=require":          "more than once",
	} {
		_, err := engine.Open(t.Context(), url, engine.WithLazyConnect())
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%s: the error %v does not name %s", url, err, names)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", url, err)
		}
	}
}

func TestOpenSaysWhyItCantConnect(t *testing.T) {
	t.Parallel()
	_, err := engine.Open(t.Context(), "postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable")
	if err == nil || !strings.Contains(err.Error(), "postgres://u:xxxxx@127.0.0.1:1/db") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: %v", err)
	}
	d := dbtest.Postgres(t).Database(t)
	_, err = engine.Open(t.Context(), strings.Replace(d.URL(), d.Password, "hunter2", 1))
	var operational *engine.OperationalError
	if !errors.As(err, &operational) || operational.Code != "28P01" || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a wrong password: %v", err)
	}
}

// open opens a database of the test's own.
func open(t *testing.T, params ...string) *engine.Engine {
	t.Helper()
	return openURL(t, dbtest.Postgres(t).Database(t).URL(params...))
}

func openURL(t *testing.T, url string, opts ...engine.Option) *engine.Engine {
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

func scalar(t *testing.T, ex engine.Executor, text string, args ...any) any {
	t.Helper()
	v, err := exec(t, ex, text, args...).Scalar()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestTheServerIsKnown(t *testing.T) {
	t.Parallel()
	e := open(t)
	if d := e.Dialect(); d.System != sp.PostgreSQL || d.Version == "" || !d.NativeScan || !d.Features.Pipelining {
		t.Errorf("%+v", d)
	}
}

func TestSocketsAreFolders(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t).Database(t)
	if d.Socket == "" {
		t.Skip("the server has no socket that is known")
	}
	url := "postgres://" + d.User + ":" + d.Password + "@:" + strconv.Itoa(d.Port) + "/" + d.Name + "?host=" + filepath.Dir(d.Socket)
	e := openURL(t, url)
	if got := scalar(t, e, "SELECT inet_server_addr()"); got != nil {
		t.Errorf("connected by way of %v", got)
	}
}

func TestTheSessionIsSetUp(t *testing.T) {
	t.Parallel()
	e := open(t, "application_name=shop", "search_path=a,b", "timezone=Asia/Tokyo", "statement_timeout=90s", "lock_timeout=1500ms")
	for setting, want := range map[string]any{
		"application_name": "shop", "search_path": "a,b", "TimeZone": "Asia/Tokyo", "statement_timeout": "90s", "lock_timeout": "1500ms",
	} {
		if got := scalar(t, e, "SELECT current_setting(?)", setting); got != want {
			t.Errorf("%s is %v, want %v", setting, got, want)
		}
	}
}

func TestTypesOfPostgreSQL(t *testing.T) {
	t.Parallel()
	e := open(t)
	for text, want := range map[string]any{
		"SELECT ARRAY[1, 2, NULL]::int[]":                     []any{int64(1), int64(2), nil},
		"SELECT ARRAY['a', 'b']":                              []any{"a", "b"},
		"SELECT ARRAY[1.50, 2]::numeric[]":                    []any{"1.50", "2"},
		"SELECT 123456789012345678901234567890.123::numeric":  "123456789012345678901234567890.123",
		"SELECT 'NaN'::numeric":                               "NaN",
		"SELECT '{\"a\": 1}'::jsonb":                          `{"a": 1}`,
		"SELECT '{\"a\":1}'::json":                            `{"a":1}`,
		"SELECT 'infinity'::timestamptz":                      "infinity",
		"SELECT '2024-02-29'::date":                           time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"SELECT '2024-02-29 12:00:00+09'::timestamptz":        time.Date(2024, 2, 29, 3, 0, 0, 0, time.UTC),
		"SELECT '10.0.0.0/8'::cidr":                           "10.0.0.0/8",
		"SELECT '0193e1c5-7a3b-7c4d-8e5f-0123456789ab'::uuid": "0193e1c5-7a3b-7c4d-8e5f-0123456789ab",
		"SELECT 1.1::real":                                    1.1,
		"SELECT 7::smallint":                                  int64(7),
		"SELECT 7::oid":                                       int64(7),
		"SELECT 'x'::\"char\"":                                "x",
		"SELECT '12:30:00'::time":                             "12:30:00.000000",
		"SELECT 'a'::tsvector":                                "'a'",
		"SELECT NULL::int[]":                                  nil,
	} {
		if got := scalar(t, e, text); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v", text, got, want)
		}
	}
	type row struct {
		Ids   []int32
		Names []string
		Doc   map[string]int
		Gap   *time.Duration
	}
	const text = "SELECT ?::int[] AS ids, ?::text[] AS names, ?::jsonb AS doc, interval '90 seconds' AS gap"
	st := engine.Text(text, []int32{1, 2}, []string{"a"}, map[string]int{"x": 1})
	gap := 90 * time.Second
	want := row{[]int32{1, 2}, []string{"a"}, map[string]int{"x": 1}, &gap}
	if got, err := engine.One[row](t.Context(), e, st); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("direct: %+v, %v", got, err)
	}
	res, err := e.Execute(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := engine.As[row](res).One(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("from memory: %+v, %v", got, err)
	}
}

// NULL does not get into a variable that can't hold it, whatever its type; pgx
// lets it through by chance, so this is tried often.
func TestNullIsRefusedEachTime(t *testing.T) {
	t.Parallel()
	e := open(t)
	type text string
	for range 50 {
		res := exec(t, e, "SELECT NULL::timestamptz, NULL::bytea, NULL::int[]")
		row, err := res.One()
		if err != nil {
			t.Fatal(err)
		}
		for _, dest := range [][]any{{new(string), nil, nil}, {nil, new(text), nil}, {nil, nil, new(uint8)}, {nil, nil, new(bool)}} {
			if err := row.Scan(dest...); !errors.Is(err, scan.ErrNull) {
				t.Fatalf("%T %T %T: %v", dest[0], dest[1], dest[2], err)
			}
		}
		if err := row.Scan(new(*string), new([]byte), new([]int)); err != nil {
			t.Fatalf("into what holds NULL: %v", err)
		}
		if _, err := engine.All[string](t.Context(), e, engine.Text("SELECT NULL::timestamptz")); !errors.Is(err, scan.ErrNull) {
			t.Fatalf("directly: %v", err)
		}
	}
}

func TestOperatorsAreNoParameters(t *testing.T) {
	t.Parallel()
	e := open(t)
	for _, st := range []engine.Statement{
		engine.Text(`SELECT '{"a": 1}'::jsonb ?? ?`, "a"),
		engine.Text(`SELECT '{"a": 1}'::jsonb ? $1`, "a"),
		engine.Text(`SELECT '{"a": 1}'::jsonb ? :key`, engine.Params{"key": "a"}),
		engine.Text(`SELECT '{"a": 1}'::jsonb ?| array[?]`, "a"),
	} {
		if ok, _, err := engine.Scalar[bool](t.Context(), e, st); !ok || err != nil {
			t.Errorf("%v: %t, %v", st, ok, err)
		}
	}
}

// A table changes under a stream's statement, and the columns of its FETCH with
// it.
func TestStreamsSurviveAChangedTable(t *testing.T) {
	t.Parallel()
	e := open(t)
	exec(t, e, "CREATE TABLE t (a int)")
	exec(t, e, "INSERT INTO t SELECT generate_series(1, 10)")
	for n := 1; n <= 3; n++ {
		s, err := e.Stream(t.Context(), engine.Text("SELECT * FROM t"), engine.WithWindow(4))
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := s.All(); err != nil || len(rows) != 10 || rows[9].Len() != n {
			t.Errorf("with %d columns: %d rows, %v", n, len(rows), err)
		}
		exec(t, e, "ALTER TABLE t ADD COLUMN b"+strconv.Itoa(n)+" text DEFAULT 'x'")
	}
}

func TestABatchIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	var batches, others int
	count := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			switch call.Op {
			case sp.OpBatch:
				batches++
				if call.BatchSize != 100 {
					t.Errorf("a batch of %d", call.BatchSize)
				}
			case sp.OpExec, sp.OpQuery:
				others++
			}
			return next(ctx, call)
		}
	})
	e := openURL(t, dbtest.Postgres(t).Database(t).URL(), engine.WithChain(sp.NewChain(count)))
	exec(t, e, "CREATE TABLE t (a int)")
	others = 0
	sets := make([][]any, 100)
	for i := range sets {
		sets[i] = []any{i}
	}
	res, err := e.ExecuteMany(t.Context(), engine.Text("INSERT INTO t VALUES (?)"), sets...)
	if err != nil || res.RowsAffected() != 100 || batches != 1 || others != 0 {
		t.Errorf("%v, %d batches, %d other statements", err, batches, others)
	}
}

func TestAStoppedStreamLeavesNoCursor(t *testing.T) {
	t.Parallel()
	e := open(t)
	tx, err := e.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close(t.Context())
	for range 3 {
		s, err := tx.Stream(t.Context(), engine.Text("SELECT generate_series(1, 100000000)"), engine.WithWindow(10))
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := s.FetchMany(25); len(rows) != 25 || err != nil {
			t.Fatal(len(rows), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := scalar(t, tx, "SELECT count(*) FROM pg_cursors WHERE name LIKE 'engine%'"); n != int64(0) {
			t.Errorf("%v cursors are open", n)
		}
	}
}

// TestTheFirstServerThatAnswersIsTaken names a server that does not exist before
// the one that does.
func TestTheFirstServerThatAnswersIsTaken(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t).Database(t)
	url := "postgres://" + d.User + ":" + d.Password + "@127.0.0.1:1," + d.Host + ":" + strconv.Itoa(d.Port) + "/" + d.Name + "?target_session_attrs=read-write"
	if got := scalar(t, openURL(t, url), "SELECT 7"); fmt.Sprint(got) != "7" {
		t.Error(got)
	}
}
