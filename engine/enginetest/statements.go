package enginetest

import (
	"errors"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

func testParameters(t *testing.T, f *fixture) {
	f.items(3)
	for _, st := range []engine.Statement{
		engine.Text("SELECT id FROM item WHERE name = ? AND qty = ?", "item 2", 2),
		engine.Text("SELECT id FROM item WHERE name = $1 AND qty = $2", "item 2", 2),
		engine.Text("SELECT id FROM item WHERE qty = $2 AND name = $1", "item 2", 2),
		engine.Text("SELECT id FROM item WHERE name = :name AND qty = :qty", engine.Params{"name": "item 2", "qty": 2}),
		engine.Text("SELECT id FROM item WHERE (name = :n OR name = :n) AND name <> ':n ?'", engine.Params{"n": "item 2"}),
		engine.From("SELECT id FROM item WHERE name = 'item 2' -- ?"),
	} {
		res, err := f.Execute(t.Context(), st)
		if err != nil {
			t.Errorf("%v: %v", st, err)
			continue
		}
		want(t, "id", must[any](t)(res.ScalarOne()), any(int64(2)))
	}
}

func testLists(t *testing.T, f *fixture) {
	f.items(5)
	res := f.exec(f, "SELECT id FROM item WHERE id IN (?) AND name <> ? ORDER BY id", []int64{1, 3, 5}, "item 3")
	want(t, "ids", ids(t, must[[]engine.Row](t)(res.All())), []int64{1, 5})
	res = f.exec(f, "SELECT id FROM item WHERE name IN :names ORDER BY id", engine.Params{"names": []string{"item 2", "item 4"}})
	want(t, "ids", ids(t, must[[]engine.Row](t)(res.All())), []int64{2, 4})
	if _, err := f.Execute(t.Context(), engine.Text("SELECT id FROM item WHERE id IN (?)", []int64{})); err == nil {
		t.Error("an empty list is no error")
	}
}

func testExecuteMany(t *testing.T, f *fixture) {
	f.items(0)
	c := f.connect()
	res, err := c.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name, qty) VALUES (:name, :qty)"),
		[]any{engine.Params{"name": "a", "qty": 1}}, []any{engine.Params{"name": "b", "qty": nil}}, []any{engine.Params{"name": "c", "qty": 3}})
	f.ok(err)
	want(t, "affected", res.RowsAffected(), int64(3))
	res, err = c.ExecuteMany(t.Context(), engine.Text("UPDATE item SET qty = ? WHERE qty IS NULL"), []any{7}, []any{8})
	f.ok(err)
	want(t, "affected", res.RowsAffected(), int64(1))
	res, err = c.ExecuteMany(t.Context(), engine.Text("DELETE FROM item WHERE id = ?"))
	f.ok(err)
	want(t, "affected by no sets", res.RowsAffected(), int64(0))
	f.ok(c.Commit(t.Context()))
	want(t, "sum", must[any](t)(f.exec(c, "SELECT count(*) FROM item WHERE qty IN (1, 3, 7)").ScalarOne()), any(int64(3)))
}

func testExecuteBatch(t *testing.T, f *fixture) {
	f.items(0)
	res, err := f.ExecuteBatch(t.Context(),
		engine.Text("INSERT INTO item (name) VALUES (?)", "a"),
		engine.Text("INSERT INTO item (name) VALUES (?)", "b"),
		engine.Text("SELECT name FROM item ORDER BY name"),
		engine.Text("UPDATE item SET qty = ?", 5),
		engine.Text("SELECT count(*) FROM item WHERE qty = ?", 5))
	f.ok(err)
	want(t, "results", len(res), 5)
	want(t, "inserted", res[1].RowsAffected(), int64(1))
	want(t, "selected", must[[]any](t)(res[2].Scalars().All()), []any{"a", "b"})
	want(t, "updated", res[3].RowsAffected(), int64(2))
	want(t, "counted", must[any](t)(res[4].ScalarOne()), any(int64(2)))
}

// testBatchOfAll mixes statements that depend on each other's effect on the
// schema.
func testBatchOfAll(t *testing.T, f *fixture) {
	res, err := f.ExecuteBatch(t.Context(),
		engine.Text("CREATE TABLE late (a INTEGER)"),
		engine.Text("INSERT INTO late VALUES (?)", 1),
		engine.Text("INSERT INTO late VALUES (?)", 2),
		engine.Text("ALTER TABLE late ADD COLUMN b INTEGER"),
		engine.Text("UPDATE late SET b = a + 1"),
		engine.Text("SELECT b FROM late ORDER BY a"))
	f.ok(err)
	want(t, "results", len(res), 6)
	want(t, "rows", must[[]any](t)(res[5].Scalars().All()), []any{int64(2), int64(3)})
	for at, sts := range map[int][]engine.Statement{
		0: {engine.From("SELEC 1"), engine.From("SELECT 1")},
		1: {engine.From("SELECT 1"), engine.From("SELECT nope FROM late"), engine.From("SELECT 2")},
		2: {engine.From("SELECT 1"), engine.From("SELECT 2"), engine.From("DROP TABLE nowhere")},
	} {
		_, err := f.ExecuteBatch(t.Context(), sts...)
		var batch *engine.BatchError
		if !errors.As(err, &batch) || batch.Index != at {
			t.Errorf("a mistake in statement %d: %v", at, err)
		}
	}
}

func testBatchFails(t *testing.T, f *fixture) {
	f.items(0)
	res, err := f.ExecuteBatch(t.Context(),
		engine.Text("INSERT INTO item (name) VALUES (?)", "a"),
		engine.Text("INSERT INTO item (name) VALUES (?)", "a"),
		engine.Text("INSERT INTO item (name) VALUES (?)", "b"))
	var batch *engine.BatchError
	var violated *integrity.Error
	if !errors.As(err, &batch) || batch.Index != 1 || !errors.As(err, &violated) || violated.Kind != integrity.Unique {
		t.Errorf("batch: %v", err)
	}
	want(t, "results before the failure", len(res), 1)
	want(t, "rows", f.count(f), int64(0))
	_, err = f.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name) VALUES (?)"), []any{"a"}, []any{"b"}, []any{"b"})
	if !errors.As(err, &batch) || batch.Index != 2 {
		t.Errorf("many: %v", err)
	}
	want(t, "rows", f.count(f), int64(0))
	if _, err = f.ExecuteBatch(t.Context(), engine.Text("SELECT 1"), engine.Text("SELECT ?")); !errors.As(err, &batch) || batch.Index != 1 {
		t.Errorf("a statement that can't be rendered: %v", err)
	}
}

// testLargeBatch runs a batch larger than a dialect sends at once.
func testLargeBatch(t *testing.T, f *fixture) {
	f.items(0)
	sets := make([][]any, 2500)
	for i := range sets {
		sets[i] = []any{"item " + itoa(i)}
	}
	sets[2300][0] = "item 7"
	c := f.connect()
	_, err := c.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name) VALUES (?)"), sets...)
	var batch *engine.BatchError
	if !errors.As(err, &batch) || batch.Index != 2300 {
		t.Errorf("a duplicate: %v", err)
	}
	f.ok(c.Rollback(t.Context()))
	sets[2300][0] = "item 2300"
	res, err := c.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name) VALUES (?)"), sets...)
	f.ok(err)
	want(t, "affected", res.RowsAffected(), int64(2500))
	want(t, "rows", f.count(c), int64(2500))
}

func testManyRowsBack(t *testing.T, f *fixture) {
	f.items(0)
	if !f.Dialect().Features.InsertReturning {
		t.Skip("no RETURNING")
	}
	res, err := f.ExecuteMany(t.Context(), engine.Text("INSERT INTO item (name) VALUES (?) RETURNING id, name"),
		[]any{"a"}, []any{"b"}, []any{"c"})
	f.ok(err)
	want(t, "affected", res.RowsAffected(), int64(3))
	want(t, "columns", res.ColumnTypes()[1].Name, "name")
	want(t, "names", must[[]any](t)(res.Freeze().Result().Columns("name").Scalars().All()), []any{"a", "b", "c"})
	items := must[[]item](t)(engine.As[item](res).All())
	want(t, "items", len(items), 3)
	want(t, "last", items[2].Name, "c")
	want(t, "picked", must[[]string](t)(engine.As[string](res.Freeze().Result().Columns("name")).All()), []string{"a", "b", "c"})
}
