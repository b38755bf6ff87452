package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// texts is an interceptor that writes down what is sent.
type texts struct {
	mu   sync.Mutex
	sent []string
}

func (r *texts) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		r.mu.Lock()
		switch {
		case strings.Contains(call.Text, "unnest"):
			r.sent = append(r.sent, "folded")
		case call.Op == sp.OpBatch:
			r.sent = append(r.sent, fmt.Sprint("batch of ", call.BatchSize))
		case call.Op == sp.OpPrepare:
			r.sent = append(r.sent, "prepare")
		}
		r.mu.Unlock()
		return next(ctx, call)
	}
}

func (r *texts) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// openFolding opens a database with tables, and shows what is sent to it.
func openFolding(t *testing.T, params string, tables ...string) (*engine.Engine, *texts) {
	t.Helper()
	sent := &texts{}
	e := openURL(t, dbtest.Postgres(t).Database(t).URL()+params, engine.WithChain(sp.NewChain(sent)))
	for _, text := range tables {
		exec(t, e, text)
	}
	sent.take()
	return e, sent
}

// many makes the arguments of n rows.
func many(n int, row func(i int) []any) [][]any {
	sets := make([][]any, n)
	for i := range sets {
		sets[i] = row(i)
	}
	return sets
}

func column[T any](t *testing.T, e engine.Executor, text string) []T {
	t.Helper()
	out, err := engine.All[T](t.Context(), e, engine.Text(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheSameInsertsAreFolded(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", `CREATE TABLE "a b" (id bigint GENERATED ALWAYS AS IDENTITY, n int, twice bigint GENERATED ALWAYS AS (2 * n) STORED)`)
	const n = 17_000 // more than are sent at once
	res, err := e.ExecuteMany(t.Context(), engine.Text(`INSERT INTO "a b" (n) VALUES (?) RETURNING id, "twice"`),
		many(n, func(i int) []any { return []any{int64(i)} })...)
	if err != nil || res.RowsAffected() != n {
		t.Fatal(res, err)
	}
	if got, want := sent.take(), []string{"prepare", "folded", "folded"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	rows, err := res.All()
	if err != nil || len(rows) != n {
		t.Fatal(len(rows), err)
	}
	for i, row := range rows {
		var id, twice int
		if err := row.Scan(&id, &twice); err != nil || id != i+1 || twice != 2*i {
			t.Fatalf("row %d: id %d, twice %d, %v", i, id, twice, err)
		}
	}
	if ordered := column[bool](t, e, `SELECT bool_and(id = n + 1) FROM "a b"`); !ordered[0] {
		t.Error("the keys are not in the order of the arguments")
	}
	if _, err := e.ExecuteMany(t.Context(), engine.Text(`INSERT INTO "a b" (n) VALUES (?)`), many(255, func(i int) []any { return []any{int64(i)} })...); err != nil {
		t.Fatal(err)
	}
	if got, want := sent.take(), []string{"batch of 255"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// TestFoldedValuesAreWhatTheyAreByThemselves inserts the same values folded and
// one by one.
func TestFoldedValuesAreWhatTheyAreByThemselves(t *testing.T) {
	t.Parallel()
	const columns = `(a bool, b int2, c int4, d int8, e float4, f float8, g text, h varchar(9), i char(9), j bytea,
		k date, l timestamp, m timestamptz, n uuid, o json, p jsonb)`
	e, sent := openFolding(t, "", "CREATE TABLE folded "+columns, "CREATE TABLE single "+columns, "CREATE TABLE pointed "+columns)
	at := time.Date(2024, 2, 29, 12, 30, 0, 123456000, time.FixedZone("", 3600))
	sets := many(256, func(i int) []any {
		if i%5 == 4 {
			return make([]any, 16)
		}
		when := at.AddDate(0, i, 0)
		return []any{
			i%2 == 0, int64(-i), int64(i << 20), int64(i) << 40, float64(i) / 4, float64(i) / 3, `it's "` + strconv.Itoa(i) + `", {\}`, "", "x",
			[]byte{0, byte(i), 255},
			when, when, when,
			[16]byte{15: byte(i)},
			`{"i": ` + strconv.Itoa(i) + `}`, `[` + strconv.Itoa(i) + `, "\""]`,
		}
	})
	insert := func(table string, sets [][]any) {
		text := "INSERT INTO " + table + " (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		if res, err := e.ExecuteMany(t.Context(), engine.Text(text), sets...); err != nil || res.RowsAffected() != int64(len(sets)) {
			t.Fatal(table, err)
		}
	}
	insert("folded", sets)
	insert("single", sets[:128])
	insert("single", sets[128:])
	insert("pointed", many(len(sets), func(i int) []any { return pointers(sets[i], sets[0]) }))
	if got, want := sent.take(), []string{"prepare", "folded", "batch of 128", "batch of 128", "prepare", "folded"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	single := column[string](t, e, "SELECT single::text FROM single")
	for _, table := range []string{"folded", "pointed"} {
		if got := column[string](t, e, "SELECT "+table+"::text FROM "+table); !slices.Equal(got, single) {
			t.Errorf("%s %q\nsingle %q", table, got, single)
		}
	}
}

// pointers returns pointers to values, nil ones for NULL, of which another row
// tells the types. Small integers are of types of their own.
func pointers(values, types []any) []any {
	out := slices.Clone(values)
	for i, v := range values {
		switch types[i].(type) {
		case bool:
			out[i] = pointer[bool](v)
		case int64:
			out[i] = pointer[int64](v)
			if n, ok := v.(int64); ok && i == 1 {
				out[i] = new(int16(n))
			} else if ok && i == 2 {
				out[i] = new(int32(n))
			}
		case float64:
			out[i] = pointer[float64](v)
		case string:
			out[i] = pointer[string](v)
		case time.Time:
			out[i] = pointer[time.Time](v)
		}
	}
	return out
}

func pointer[T any](v any) *T {
	if v == nil {
		return nil
	}
	return new(v.(T))
}

// TestWhatCantBeFoldedIsSentAsItIs has values and columns that an array would
// not take, or would take for something else.
func TestWhatCantBeFoldedIsSentAsItIs(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TYPE mood AS ENUM ('sad', 'glad')",
		"CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, n int UNIQUE, m mood, price numeric, tags text[], s text)")
	for text, arg := range map[string]func(i int) any{
		"INSERT INTO t (m) VALUES (?)":                                     func(int) any { return "glad" },
		"INSERT INTO t (price) VALUES (?)":                                 func(i int) any { return strconv.Itoa(i) + ".50" },
		"INSERT INTO t (tags) VALUES (?)":                                  func(i int) any { return []string{strconv.Itoa(i)} },
		"INSERT INTO t (n) VALUES (?)":                                     func(i int) any { return strconv.Itoa(10_000 + i) }, // a text for a number
		"INSERT INTO t (s) VALUES (upper(?))":                              func(i int) any { return strconv.Itoa(i) },
		"INSERT INTO t (n) VALUES (?) ON CONFLICT (n) DO UPDATE SET n = 1": func(int) any { return int64(1) },
		"INSERT INTO t (n, s) VALUES (30000 + ?, 'a')":                     func(i int) any { return int64(i) },
		"INSERT INTO t VALUES (DEFAULT, ?)":                                func(i int) any { return int64(20_000 + i) },
		"INSERT INTO t (price) VALUES (?::numeric)":                        func(i int) any { return new(float64(i + 1)) },
	} {
		res, err := e.ExecuteMany(t.Context(), engine.Text(text), many(300, func(i int) []any { return []any{arg(i)} })...)
		if err != nil || res.RowsAffected() != 300 {
			t.Errorf("%s: %v", text, err)
		}
		if got := sent.take(); slices.Contains(got, "folded") || !slices.Contains(got, "batch of 300") {
			t.Errorf("%s: sent %q", text, got)
		}
	}
	if got, want := column[int](t, e, "SELECT count(*) FROM t WHERE tags[1] IS NOT NULL OR s IS NOT NULL OR m = 'glad' OR price > 0"), []int{1800}; !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d", got, want)
	}

	uncached, sent := openFolding(t, "&statement_cache=0", "CREATE TABLE t (n int)")
	if _, err := uncached.ExecuteMany(t.Context(), engine.Text("INSERT INTO t (n) VALUES (?)"), many(256, func(i int) []any { return []any{int64(i)} })...); err != nil {
		t.Error(err)
	}
	if got := sent.take(); slices.Contains(got, "folded") {
		t.Errorf("without prepared statements: sent %q", got)
	}
}

// TestARefusedRowIsNamed has rows that fail in the server and in the client.
func TestARefusedRowIsNamed(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TABLE t (n int2 UNIQUE)")
	text := engine.Text("INSERT INTO t (n) VALUES (?)")
	sets := many(300, func(i int) []any { return []any{int64(i)} })
	sets[150][0] = int64(7)
	_, err := e.ExecuteMany(t.Context(), text, sets...)
	var batch *engine.BatchError
	var violated *integrity.Error
	if !errors.As(err, &batch) || batch.Index != 150 || !errors.As(err, &violated) || violated.Kind != integrity.Unique {
		t.Errorf("%v, want a duplicate in statement 150", err)
	}
	sets[150][0] = int64(1 << 20) // pgx says so before it sends anything, and of the text alone
	if _, err := e.ExecuteMany(t.Context(), text, sets...); !errors.As(err, &batch) || !strings.Contains(err.Error(), "int2") {
		t.Errorf("%v, want a value that is too large", err)
	}
	sent.take()
	conn, err := e.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	sts := []engine.Statement{engine.Text("SELECT 1"), engine.Text("DELETE FROM t")}
	for i := range 280 {
		sts = append(sts, text.With(int64(i)))
	}
	sts = append(sts, engine.Text("SELECT count(*) FROM t"), engine.Text("UPDATE t SET n = n + ?", 1000))
	res, err := conn.ExecuteBatch(t.Context(), sts...)
	if err != nil || len(res) != len(sts) || res[40].RowsAffected() != 1 || res[283].RowsAffected() != 280 {
		t.Fatal(len(res), err)
	}
	if got, want := sent.take(), []string{"batch of 2", "folded", "batch of 2"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

// TestATriggerMaySkipRows has a trigger that keeps rows from being inserted.
func TestATriggerMaySkipRows(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TABLE t (n int)",
		"CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.n % 10 = 3 THEN RETURN NULL; END IF; RETURN NEW; END'",
		"CREATE TRIGGER skip BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip()")
	for _, tried := range []bool{true, false} {
		sts := make([]engine.Statement, 300)
		for i := range sts {
			sts[i] = engine.Text("INSERT INTO t (n) VALUES (?) RETURNING n", int64(i))
		}
		res, err := e.ExecuteBatch(t.Context(), sts...)
		if err != nil || len(res) != 300 || res[3].RowsAffected() != 0 || res[4].RowsAffected() != 1 {
			t.Fatal(len(res), err)
		}
		if got := sent.take(); slices.Contains(got, "folded") != tried || !slices.Contains(got, "batch of 300") {
			t.Errorf("sent %q", got)
		}
	}
	if got := column[int](t, e, "SELECT count(*) FROM t"); !reflect.DeepEqual(got, []int{540}) {
		t.Errorf("%d rows, want 540", got)
	}
}

// TestAColumnMayChangeItsType changes a column after its type was learnt.
func TestAColumnMayChangeItsType(t *testing.T) {
	t.Parallel()
	e, _ := openFolding(t, "", "CREATE TABLE t (n int)")
	text := engine.Text("INSERT INTO t (n) VALUES (?)")
	for step, change := range []string{"SELECT 1", "ALTER TABLE t ALTER n TYPE bigint", "ALTER TABLE t ALTER n TYPE jsonb USING '1'"} {
		exec(t, e, change)
		value := func(i int) any { return int64(i) }
		if step == 2 {
			value = func(i int) any { return fmt.Sprint(i) }
		}
		for range 2 {
			if _, err := e.ExecuteMany(t.Context(), text, many(256, func(i int) []any { return []any{value(i)} })...); err != nil {
				t.Fatalf("after %s: %v", change, err)
			}
		}
	}
	if got := column[int](t, e, "SELECT count(*) FROM t"); !reflect.DeepEqual(got, []int{6 * 256}) {
		t.Errorf("%d rows, want %d", got, 6*256)
	}
	// A connection that has not prepared the statement before learns of it too
	// late for the transaction, but not for the next one.
	exec(t, e, "CREATE TABLE other (n int)")
	insert := func(value func(i int) any) error {
		_, err := e.ExecuteMany(t.Context(), engine.Text("INSERT INTO other (n) VALUES (?)"), many(256, func(i int) []any { return []any{value(i)} })...)
		return err
	}
	if err := insert(func(i int) any { return int64(i) }); err != nil {
		t.Fatal(err)
	}
	exec(t, e, "ALTER TABLE other ALTER n TYPE boolean USING true")
	if err := e.Dispose(); err != nil {
		t.Fatal(err)
	}
	if err := insert(func(int) any { return nil }); err == nil {
		t.Error("the statement for the old type was taken")
	}
	if err := insert(func(i int) any { return i%2 == 0 }); err != nil {
		t.Error(err)
	}
}

// TestInsertsOfSeveralRowsAreFoldedToo gives each statement several rows.
func TestInsertsOfSeveralRowsAreFoldedToo(t *testing.T) {
	t.Parallel()
	e, sent := openFolding(t, "", "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, a int, b text)")
	text := engine.Text("INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (?, ?) RETURNING id, a, b")
	const n = 6_000
	sts := make([]engine.Statement, n)
	for i := range sts {
		args := make([]any, 0, 6)
		for row := range 3 {
			args = append(args, int64(3*i+row), strconv.Itoa(3*i+row))
		}
		sts[i] = text.With(args...)
	}
	res, err := e.ExecuteBatch(t.Context(), sts...)
	if err != nil || len(res) != n {
		t.Fatal(len(res), err)
	}
	if got, want := sent.take(), []string{"prepare", "folded", "folded"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	next := int64(0)
	for i, r := range res {
		rows, err := r.All()
		if err != nil || len(rows) != 3 || r.RowsAffected() != 3 {
			t.Fatalf("statement %d: %d rows, %v", i, len(rows), err)
		}
		for _, row := range rows {
			var id, a int64
			var b string
			if err := row.Scan(&id, &a, &b); err != nil || id != next+1 || a != next || b != strconv.FormatInt(next, 10) {
				t.Fatalf("row %d: %d, %d, %q, %v", next, id, a, b, err)
			}
			next++
		}
	}
}
