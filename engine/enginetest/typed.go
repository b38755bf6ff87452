package enginetest

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/engine/scan"
)

// item is a row of the table item.
type item struct {
	ID   int64
	Name string
	Qty  *int
}

const allItems = "SELECT id, name, qty FROM item ORDER BY id"

func testTypedAll(t *testing.T, f *fixture) {
	f.items(4)
	items := must[[]item](t)(engine.All[item](t.Context(), f, engine.Text(allItems)))
	want(t, "items", len(items), 4)
	want(t, "second", *items[1].Qty, 2)
	want(t, "third", items[2], item{3, "item 3", nil})
	want(t, "names", must[[]string](t)(engine.All[string](t.Context(), f, engine.Text("SELECT name FROM item WHERE id < ? ORDER BY id", 3))), []string{"item 1", "item 2"})
	want(t, "pointers", (*must[[]*item](t)(engine.All[*item](t.Context(), f, engine.Text(allItems)))[0]).Name, "item 1")
	want(t, "none", len(must[[]item](t)(engine.All[item](t.Context(), f, engine.Text("SELECT id, name, qty FROM item WHERE id = 99")))), 0)
	want(t, "in use", f.Stats().InUse, 0)
	for name, st := range map[string]engine.Statement{
		"an unknown column":           engine.Text("SELECT id, 1 AS nope FROM item"),
		"a column twice":              engine.Text("SELECT id, id FROM item"),
		"NULL in a plain field":       engine.Text("SELECT id, NULL AS name FROM item"),
		"a statement without rows":    engine.Text("UPDATE item SET qty = 1"),
		"a text that is not a number": engine.Text("SELECT name AS id FROM item"),
	} {
		if _, err := engine.All[item](t.Context(), f, st); err == nil {
			t.Errorf("%s is no error", name)
		}
		want(t, "in use", f.Stats().InUse, 0)
	}
	_, err := engine.All[item](t.Context(), f, engine.Text("SELECT id, NULL AS name FROM item"))
	var column *scan.ColumnError
	if !errors.As(err, &column) || column.Column != "name" || !errors.Is(err, scan.ErrNull) {
		t.Errorf("NULL in a plain field: %v", err)
	}
}

func testTypedOne(t *testing.T, f *fixture) {
	f.items(3)
	want(t, "one", must[item](t)(engine.One[item](t.Context(), f, engine.Text(allItems+" LIMIT 1"))).Name, "item 1")
	if _, err := engine.One[item](t.Context(), f, engine.Text(allItems)); !errors.Is(err, engine.ErrMultipleResults) {
		t.Errorf("one of three: %v", err)
	}
	if _, err := engine.One[item](t.Context(), f, engine.Text("SELECT id, name, qty FROM item WHERE id = 99")); !errors.Is(err, engine.ErrNoResult) {
		t.Errorf("one of none: %v", err)
	}
	if _, ok, err := engine.OneOrNone[item](t.Context(), f, engine.Text("SELECT id, name, qty FROM item WHERE id = 99")); ok || err != nil {
		t.Errorf("one or none of none: %t, %v", ok, err)
	}
	got, ok, err := engine.First[item](t.Context(), f, engine.Text(allItems))
	if !ok || err != nil || got.ID != 1 {
		t.Errorf("first: %v, %t, %v", got, ok, err)
	}
	want(t, "in use", f.Stats().InUse, 0)
}

func testTypedScalar(t *testing.T, f *fixture) {
	f.items(3)
	n, ok, err := engine.Scalar[int](t.Context(), f, engine.Text("SELECT count(*) FROM item"))
	if n != 3 || !ok || err != nil {
		t.Errorf("count: %d, %t, %v", n, ok, err)
	}
	if _, ok, err := engine.Scalar[int](t.Context(), f, engine.Text("SELECT qty FROM item WHERE id = 99")); ok || err != nil {
		t.Errorf("scalar of none: %t, %v", ok, err)
	}
	null := engine.Text("SELECT qty FROM item WHERE id = 3")
	if _, ok, err := engine.Scalar[int](t.Context(), f, null); ok || !errors.Is(err, scan.ErrNull) {
		t.Errorf("NULL in an int: %t, %v", ok, err)
	}
	p, ok, err := engine.Scalar[*int](t.Context(), f, null)
	if p != nil || !ok || err != nil {
		t.Errorf("NULL in a pointer: %v, %t, %v", p, ok, err)
	}
	// The first of several columns counts, and NULL in another does no harm.
	want(t, "scalars", must[[]int64](t)(engine.Scalars[int64](t.Context(), f, engine.Text("SELECT id, name, qty FROM item ORDER BY id"))), []int64{1, 2, 3})
	if _, err := engine.Scalars[int](t.Context(), f, engine.Text("SELECT qty, id FROM item ORDER BY id")); !errors.Is(err, scan.ErrNull) {
		t.Errorf("NULL in an int among columns: %v", err)
	}
	want(t, "nullable", must[[]sql.Null[int64]](t)(engine.Scalars[sql.Null[int64]](t.Context(), f, engine.Text("SELECT qty, id FROM item WHERE id > 1 ORDER BY id"))),
		[]sql.Null[int64]{{V: 2, Valid: true}, {}})
	want(t, "in use", f.Stats().InUse, 0)
}

func testTypedViews(t *testing.T, f *fixture) {
	f.items(3)
	for what, open := range map[string]func() engine.Answer{
		"result": func() engine.Answer { return f.exec(f, allItems) },
		"stream": func() engine.Answer {
			return must[*engine.Stream](t)(f.Stream(t.Context(), engine.Text(allItems), engine.WithWindow(2)))
		},
	} {
		items := must[[]item](t)(engine.As[item](open()).All())
		want(t, what, len(items), 3)
		want(t, what+", third", items[2], item{3, "item 3", nil})
		want(t, what+", names", must[[]string](t)(engine.ScalarsOf[string](open(), 1).All()), []string{"item 1", "item 2", "item 3"})
		if _, err := engine.ScalarsOf[string](open(), 3).All(); err == nil {
			t.Errorf("%s: a column that is not there is no error", what)
		}
		if _, err := engine.As[struct{ Nope int }](open()).All(); err == nil {
			t.Errorf("%s: fields that are not there are no error", what)
		}
		if _, err := engine.ScalarsOf[int](open(), 2).All(); !errors.Is(err, scan.ErrNull) {
			t.Errorf("%s: NULL in an int: %v", what, err)
		}
		first, ok, err := engine.As[item](open()).First()
		if err != nil || !ok || first.ID != 1 {
			t.Errorf("%s: first: %v, %t, %v", what, first, ok, err)
		}
		want(t, "in use", f.Stats().InUse, 0)
	}
}

func testEach(t *testing.T, f *fixture) {
	f.items(10)
	seq := engine.Each[item](t.Context(), f, engine.Text(allItems), engine.WithWindow(3))
	for range 2 { // each loop runs the statement
		var last item
		for it, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if last = it; it.ID == 7 {
				break
			}
		}
		want(t, "last", last.ID, int64(7))
		want(t, "in use", f.Stats().InUse, 0)
	}
	for _, err := range engine.Each[item](t.Context(), f, engine.Text("SELECT nope FROM item")) {
		if err == nil {
			t.Error("a column that is not there is no error")
		}
	}
	n := 0
	for _, err := range engine.Each[int](t.Context(), f, engine.Text("SELECT qty FROM item ORDER BY id")) {
		n++
		if (err != nil) != (n == 3) {
			t.Errorf("row %d: %v", n, err)
		}
	}
	want(t, "rows up to the NULL", n, 3)
	want(t, "in use", f.Stats().InUse, 0)
}

func testStructArguments(t *testing.T, f *fixture) {
	f.items(0)
	type base struct{ Qty *int }
	type row struct {
		base
		Label string `db:"name"`
	}
	five := 5
	_, err := f.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name, qty) VALUES (:name, :qty)"),
		[]any{row{base{&five}, "a"}}, []any{&row{Label: "b"}})
	f.ok(err)
	want(t, "items", must[[]item](t)(engine.All[item](t.Context(), f, engine.Text(allItems))), []item{{1, "a", &five}, {2, "b", nil}})
	if _, err := f.Execute(t.Context(), engine.Text("SELECT :nope", row{})); err == nil {
		t.Error("a field that is not there is no error")
	}
}

func testTypedTimes(t *testing.T, f *fixture) {
	at := time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)
	f.exec(f, "CREATE TABLE ev (id INTEGER PRIMARY KEY, at "+f.types.timestamp+", done "+f.types.boolean+")")
	f.exec(f, "INSERT INTO ev (id, at, done) VALUES (1, ?, ?), (2, NULL, ?)", at, true, false)
	type ev struct {
		At   sql.NullTime
		Done bool
	}
	evs := must[[]ev](t)(engine.All[ev](t.Context(), f, engine.Text("SELECT at, done FROM ev ORDER BY id")))
	if len(evs) != 2 || !evs[0].At.Time.Equal(at) || evs[1].At.Valid || !evs[0].Done || evs[1].Done {
		t.Errorf("events: %+v", evs)
	}
	// The result of max has no declared type on SQLite.
	latest := must[time.Time](t)(engine.One[time.Time](t.Context(), f, engine.Text("SELECT max(at) FROM ev")))
	if !latest.Equal(at) {
		t.Errorf("latest: %s, want %s", latest, at)
	}
}
