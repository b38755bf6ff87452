package engine_test

import (
	"context"
	"testing"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
)

// database/sql and the driver make 24 allocations of a look-up by key that is
// written by hand; with a statement that is kept they make fewer.
func TestLookingUpARowAllocatesLittle(t *testing.T) {
	ctx := context.Background() // one that can end costs a watcher
	e := open(t)
	run(t, e, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)")
	run(t, e, "INSERT INTO item VALUES (1, 'bolt', 100)")
	type item struct {
		ID   int64
		Name string
		N    int64
	}
	st := engine.Text("SELECT id, name, n FROM item WHERE id = ?", 1)
	for what, look := range map[string]struct {
		most float64
		up   func() error
	}{
		// The oldest driver that is supported makes two more than the newest.
		"One":     {29, func() error { _, err := engine.One[item](ctx, e, st); return err }},
		"Scalar":  {34, func() error { _, _, err := engine.Scalar[int64](ctx, e, st); return err }},
		"Execute": {36, func() error { _, err := e.Execute(ctx, st); return err }},
	} {
		if n := alloctest.PerRun(100, func() {
			if err := look.up(); err != nil {
				t.Fatal(err)
			}
		}); n > look.most+alloctest.Lost {
			t.Errorf("%s makes %v allocations, %v at most", what, n, look.most)
		}
	}
}

func TestReadingManyRowsAllocatesPerValueOnly(t *testing.T) {
	ctx := context.Background() // one that can end costs a watcher
	e := open(t)
	const rows = 1000
	st := engine.Text("WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < ?) SELECT n FROM g", rows)
	// The driver boxes each integer above 255; the slice grows.
	if n := alloctest.PerRun(10, func() {
		got, err := engine.All[int64](ctx, e, st)
		if err != nil || len(got) != rows {
			t.Fatal(len(got), err)
		}
	}); n > rows+60 {
		t.Errorf("%v allocations for %d rows", n, rows)
	}
}
