package engine_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite" // sqlite:
	"github.com/sessionproxy/sessionproxy/fault/integrity"
)

// stock opens a database with a few items.
func stock(ctx context.Context) *engine.Engine {
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	_, err = eng.ExecuteBatch(ctx,
		engine.Text("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER NOT NULL CHECK (n >= 0))"),
		engine.Text("INSERT INTO item (name, n) VALUES ('bolt', 100), ('nut', 80), ('washer', 0)"))
	if err != nil {
		panic(err)
	}
	return eng
}

func ExampleOpen() {
	ctx := context.Background()
	eng, err := engine.Open(ctx, "sqlite::memory:", engine.WithPoolSize(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Dispose()

	res, err := eng.Execute(ctx, engine.Text("SELECT ? + ?", 20, 22))
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := res.ScalarOne()
	fmt.Println(answer, err)

	_, err = engine.Open(ctx, "sqlite:shop.db?journal=wal")
	fmt.Println(err)
	// Output:
	// 42 <nil>
	// engine: open: unknown parameter "journal" of sqlite: known are busy_timeout, cache_size, foreign_keys, journal_mode, mode, statement_cache, synchronous
}

func ExampleEngine_RunInTx() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	take := func(name string, n int) error {
		return eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
			_, err := tx.Execute(ctx, engine.Text("UPDATE item SET n = n - ? WHERE name = ?", n, name))
			return err
		})
	}
	fmt.Println(take("bolt", 60))
	err := take("bolt", 60)
	var violated *integrity.Error
	fmt.Println(errors.As(err, &violated), violated.Kind)

	left, _, _ := engine.Scalar[int](ctx, eng, engine.Text("SELECT n FROM item WHERE name = 'bolt'"))
	fmt.Println(left, "left")
	// Output:
	// <nil>
	// true check
	// 40 left
}

func ExampleAll() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	type Item struct {
		ID    int64
		Name  string
		Count int `db:"n"`
	}
	items, err := engine.All[Item](ctx, eng,
		engine.Text("SELECT id, name, n FROM item WHERE name IN (:names) ORDER BY id", engine.Params{"names": []string{"bolt", "washer"}}))
	fmt.Println(items, err)
	// Output: [{1 bolt 100} {3 washer 0}] <nil>
}

func ExampleEngine_Connect() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	conn, err := eng.Connect(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)

	_, _ = conn.Execute(ctx, engine.Text("DELETE FROM item")) // begins a transaction
	fmt.Println(conn.InTransaction())
	_ = conn.Rollback(ctx)

	n, _, _ := engine.Scalar[int](ctx, conn, engine.Text("SELECT count(*) FROM item"))
	fmt.Println(n, "items")
	// Output:
	// true
	// 3 items
}

func ExampleEngine_Stream() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	stream, err := eng.Stream(ctx, engine.Text("SELECT name, n FROM item ORDER BY name"), engine.WithWindow(2))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Close()
	for part, err := range stream.Partitions(0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("window of", len(part))
	}
	// Output:
	// window of 2
	// window of 1
}

func ExampleEach() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	for name, err := range engine.Each[string](ctx, eng, engine.Text("SELECT name FROM item ORDER BY name")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if name == "nut" {
			break // the rest is not read
		}
		fmt.Println(name)
	}
	// Output: bolt
}

func ExampleTx_RunNested() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	err := eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
		for _, name := range []string{"screw", "bolt", "nail"} {
			// A name that is there already undoes its own savepoint only.
			err := tx.RunNested(ctx, func(ctx context.Context, tx *engine.Tx) error {
				_, err := tx.Execute(ctx, engine.Text("INSERT INTO item (name, n) VALUES (?, 1)", name))
				return err
			})
			if _, known := errors.AsType[*integrity.Error](err); known {
				fmt.Println(name, "is known")
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	names, _ := engine.Scalars[string](ctx, eng, engine.Text("SELECT name FROM item ORDER BY id"))
	fmt.Println(names, err)
	// Output:
	// bolt is known
	// [bolt nut washer screw nail] <nil>
}

func ExampleResult_Mappings() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	res, err := eng.Execute(ctx, engine.Text("SELECT name, n FROM item WHERE n > ?", 90))
	if err != nil {
		fmt.Println(err)
		return
	}
	row, err := res.Mappings().One()
	fmt.Println(row["name"], row["n"], err)
	// Output: bolt 100 <nil>
}

func ExampleFrom() {
	ctx := context.Background()
	eng := stock(ctx)
	defer eng.Dispose()

	n, _, err := engine.Scalar[int](ctx, eng, engine.From(countWhere{column: "n", value: 0}))
	fmt.Println(n, err)
	// Output: 1 <nil>
}

// countWhere is a query builder in the manner of squirrel.
type countWhere struct {
	column string
	value  any
}

func (c countWhere) ToSql() (string, []any, error) { //nolint:staticcheck // squirrel's name
	return "SELECT count(*) FROM item WHERE " + c.column + " = ?", []any{c.value}, nil
}
