package enginetest

import (
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
)

func testFetch(t *testing.T, f *fixture) {
	f.items(5)
	res := f.exec(f, "SELECT id FROM item ORDER BY id")
	first, ok, err := res.FetchOne()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want(t, "first row", must[any](t)(first.At(0)), any(int64(1)))
	want(t, "two more", ids(t, must[[]engine.Row](t)(res.FetchMany(2))), []int64{2, 3})
	want(t, "the rest", ids(t, must[[]engine.Row](t)(res.FetchAll())), []int64{4, 5})
	// A result that was read to its end is closed softly: no more rows, and no error.
	want(t, "nothing left", len(must[[]engine.Row](t)(res.All())), 0)
	if _, ok, err := res.FetchOne(); ok || err != nil {
		t.Errorf("fetch one at the end: %t, %v", ok, err)
	}
	if _, err := res.FetchMany(0); err == nil {
		t.Error("FetchMany(0) is no error")
	}
}

func ids(t testing.TB, rows []engine.Row) (out []int64) {
	t.Helper()
	for _, r := range rows {
		var id int64
		if err := r.Scan(&id); err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

func testFirstAndOne(t *testing.T, f *fixture) {
	f.items(2)
	res := f.exec(f, "SELECT id FROM item ORDER BY id")
	row, ok, err := res.First()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want(t, "first", ids(t, []engine.Row{row}), []int64{1})
	if _, _, err := res.FetchOne(); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("fetch after First: %v", err)
	}
	if _, err := f.exec(f, "SELECT id FROM item").One(); !errors.Is(err, engine.ErrMultipleResults) {
		t.Errorf("one of two: %v", err)
	}
	if _, _, err := f.exec(f, "SELECT id FROM item").OneOrNone(); !errors.Is(err, engine.ErrMultipleResults) {
		t.Errorf("one or none of two: %v", err)
	}
	if _, err := f.exec(f, "SELECT id FROM item WHERE id = 99").One(); !errors.Is(err, engine.ErrNoResult) {
		t.Errorf("one of none: %v", err)
	}
	if _, ok, err := f.exec(f, "SELECT id FROM item WHERE id = 99").OneOrNone(); ok || err != nil {
		t.Errorf("one or none of none: %t, %v", ok, err)
	}
	if _, ok, err := f.exec(f, "SELECT id FROM item WHERE id = 99").First(); ok || err != nil {
		t.Errorf("first of none: %t, %v", ok, err)
	}
	one := f.exec(f, "SELECT id FROM item WHERE id = 2")
	want(t, "one", ids(t, []engine.Row{must[engine.Row](t)(one.One())}), []int64{2})
	if _, err := one.All(); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("all after One: %v", err)
	}
}

func testScalars(t *testing.T, f *fixture) {
	f.items(3)
	want(t, "scalar", must[any](t)(f.exec(f, "SELECT qty FROM item ORDER BY id").Scalar()), any(int64(1)))
	// A NULL is a value; for Scalar and ScalarOneOrNone it is the same as no row.
	want(t, "scalar of NULL", must[any](t)(f.exec(f, "SELECT qty FROM item WHERE id = 3").Scalar()), nil)
	want(t, "scalar of none", must[any](t)(f.exec(f, "SELECT qty FROM item WHERE id = 99").Scalar()), nil)
	want(t, "one NULL", must[any](t)(f.exec(f, "SELECT qty FROM item WHERE id = 3").ScalarOne()), nil)
	if _, err := f.exec(f, "SELECT qty FROM item WHERE id = 99").ScalarOne(); !errors.Is(err, engine.ErrNoResult) {
		t.Errorf("scalar one of none: %v", err)
	}
	want(t, "none", must[any](t)(f.exec(f, "SELECT qty FROM item WHERE id = 99").ScalarOneOrNone()), nil)
	if _, err := f.exec(f, "SELECT qty FROM item").ScalarOneOrNone(); !errors.Is(err, engine.ErrMultipleResults) {
		t.Errorf("scalar one or none of three: %v", err)
	}
	want(t, "scalars", must[[]any](t)(f.exec(f, "SELECT qty, id FROM item ORDER BY id").Scalars().All()),
		[]any{int64(1), int64(2), nil})
}

func testMappings(t *testing.T, f *fixture) {
	f.items(3)
	rows := must[[]map[string]any](t)(f.exec(f, "SELECT id, name, qty FROM item WHERE id >= 2 ORDER BY id").Mappings().All())
	want(t, "mappings", rows, []map[string]any{
		{"id": int64(2), "name": "item 2", "qty": int64(2)},
		{"id": int64(3), "name": "item 3", "qty": nil},
	})
	res := f.exec(f, "SELECT id, qty AS id FROM item")
	if _, err := res.Mappings().All(); err == nil {
		t.Error("a mapping with two columns of one name is no error")
	}
}

func testColumns(t *testing.T, f *fixture) {
	f.items(2)
	res := f.exec(f, "SELECT id, name, qty FROM item ORDER BY id")
	want(t, "keys", res.Keys(), []string{"id", "name", "qty"})
	row, _, err := res.Columns("qty", "id").First()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "projection", must[[]any](t)(row.Values()), []any{int64(1), int64(1)})
	var qty, id int64
	if err := row.Scan(&qty, &id); err != nil || qty != 1 || id != 1 {
		t.Errorf("scan of a projection: %d, %d, %v", qty, id, err)
	}
	if _, err := f.exec(f, "SELECT id FROM item").Columns("nope").All(); err == nil {
		t.Error("an unknown column is no error")
	}
	whole := must[engine.Row](t)(f.exec(f, "SELECT id, name FROM item WHERE id = 1").One())
	want(t, "by name", must[any](t)(whole.Get("name")), any("item 1"))
	want(t, "by another case", must[any](t)(whole.Get("NAME")), any("item 1"))
	if _, err := whole.Get("nope"); err == nil {
		t.Error("an unknown name is no error")
	}
	if _, err := whole.At(2); err == nil {
		t.Error("a column that is not there is no error")
	}
	if err := whole.Scan(&id); err == nil {
		t.Error("a scan into too few is no error")
	}
}

func testPartitions(t *testing.T, f *fixture) {
	f.items(7)
	var sizes []int
	for part, err := range f.exec(f, "SELECT id FROM item").Partitions(3) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(part))
	}
	want(t, "sizes", sizes, []int{3, 3, 1})
	sizes = nil
	for part, err := range f.exec(f, "SELECT id FROM item").Partitions(0) {
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(part))
	}
	want(t, "one partition", sizes, []int{7})
}

func testUnique(t *testing.T, f *fixture) {
	f.items(3)
	twice := "SELECT a.qty FROM item a CROSS JOIN item b ORDER BY a.id"
	want(t, "all", len(must[[]engine.Row](t)(f.exec(f, twice).All())), 9)
	want(t, "unique", must[[]any](t)(f.exec(f, twice).Scalars().Unique().All()), []any{int64(1), int64(2), nil})
	want(t, "unique rows", len(must[[]engine.Row](t)(f.exec(f, twice).Unique().All())), 3)
	// Two equal rows count as one.
	one := f.exec(f, "SELECT a.qty FROM item a CROSS JOIN item b WHERE a.id = 1").Unique()
	want(t, "one", len(must[engine.Row](t)(one.One()).Keys()), 1)
	parity := f.exec(f, "SELECT id FROM item ORDER BY id").UniqueBy(func(r engine.Row) any {
		id, _ := r.At(0)
		return id.(int64) % 2
	})
	want(t, "by key", ids(t, must[[]engine.Row](t)(parity.All())), []int64{1, 2})
}

func testFreeze(t *testing.T, f *fixture) {
	f.items(2)
	res := f.exec(f, "SELECT id FROM item ORDER BY id")
	frozen := res.Freeze()
	if _, _, err := res.First(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, "thawed", ids(t, must[[]engine.Row](t)(frozen.Result().All())), []int64{1, 2})
	}
}

func testIter(t *testing.T, f *fixture) {
	f.items(4)
	res := f.exec(f, "SELECT id FROM item ORDER BY id")
	var got []int64
	for row, err := range res.Iter() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ids(t, []engine.Row{row})...)
		if len(got) == 2 {
			break
		}
	}
	for row, err := range res.Iter() { // where the first loop stopped
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ids(t, []engine.Row{row})...)
	}
	want(t, "iterated", got, []int64{1, 2, 3, 4})
}

func testNoRows(t *testing.T, f *fixture) {
	f.items(1)
	res := f.exec(f, "UPDATE item SET qty = 5")
	if res.ReturnsRows() {
		t.Error("an UPDATE returns rows")
	}
	_, err := res.All()
	if !errors.Is(err, engine.ErrNoRows) || !errors.Is(err, engine.ErrClosed) {
		t.Errorf("rows of an UPDATE: %v", err)
	}
	if !f.exec(f, "SELECT id FROM item WHERE id = 99").ReturnsRows() {
		t.Error("a SELECT of no rows returns none at all")
	}
}

func testAffected(t *testing.T, f *fixture) {
	f.items(6)
	want(t, "updated", f.exec(f, "UPDATE item SET qty = 9 WHERE id > 2").RowsAffected(), int64(4))
	// Rows that already had the value count as well.
	want(t, "updated again", f.exec(f, "UPDATE item SET qty = 9 WHERE id > 2").RowsAffected(), int64(4))
	want(t, "deleted", f.exec(f, "DELETE FROM item WHERE id = 1").RowsAffected(), int64(1))
	want(t, "none", f.exec(f, "DELETE FROM item WHERE id = 1").RowsAffected(), int64(0))
	want(t, "selected", f.exec(f, "SELECT id FROM item").RowsAffected(), int64(5))
}

func testGeneratedKey(t *testing.T, f *fixture) {
	f.items(3)
	features := f.Dialect().Features
	if features.InsertReturning {
		res := f.exec(f, "INSERT INTO item (name) VALUES ('a'), ('b') RETURNING id, name")
		want(t, "affected", res.RowsAffected(), int64(2))
		want(t, "returned", must[[]any](t)(res.Scalars().All()), []any{int64(4), int64(5)})
	}
	if features.LastInsertID {
		res := f.exec(f, "INSERT INTO item (name) VALUES ('c')")
		id, ok := res.LastInsertID()
		key := must[any](t)(f.exec(f, "SELECT id FROM item WHERE name = 'c'").ScalarOne())
		if !ok || any(id) != key {
			t.Errorf("key is %d, %t, want %v", id, ok, key)
		}
		if id, ok := f.exec(f, "UPDATE item SET qty = 1").LastInsertID(); ok {
			t.Errorf("an UPDATE generated key %d", id)
		}
	}
	if !features.InsertReturning && !features.LastInsertID {
		t.Error("a generated key can't be known")
	}
	if features.DeleteReturning {
		want(t, "deleted", must[any](t)(f.exec(f, "DELETE FROM item WHERE id = 1 RETURNING name").ScalarOne()), any("item 1"))
	}
	if features.UpdateReturning {
		want(t, "updated", must[any](t)(f.exec(f, "UPDATE item SET qty = 7 WHERE id = 2 RETURNING qty").ScalarOne()), any(int64(7)))
	}
}
