package proxy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// shop opens a database with a few items.
func shop(ctx context.Context) *proxy.AsyncEngine {
	blocking, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	eng, err := proxy.NewAsyncEngine(blocking)
	if err != nil {
		panic(err)
	}
	_, err = eng.ExecuteBatch(ctx,
		engine.Text("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER NOT NULL)"),
		engine.Text("INSERT INTO item (name, n) VALUES ('bolt', 100), ('nut', 80), ('washer', 0)")).Await(ctx)
	if err != nil {
		panic(err)
	}
	return eng
}

func ExampleNewAsyncEngine() {
	ctx := context.Background()
	eng := shop(ctx)
	defer eng.Sync().Dispose()

	names := eng.Execute(ctx, engine.Text("SELECT name FROM item ORDER BY name"))
	total := eng.Scalar(ctx, engine.Text("SELECT sum(n) FROM item")) // both are under way

	n, err := total.Await(ctx)
	fmt.Println(n, err)
	res, err := names.Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(engine.ScalarsOf[string](res, 0).All()) // a result is in memory
	// Output:
	// 180 <nil>
	// [bolt nut washer] <nil>
}

func ExampleAsyncEngine_Begin() {
	ctx := context.Background()
	eng := shop(ctx)
	defer eng.Sync().Dispose()

	tx, err := eng.Begin(ctx).Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Close(ctx)

	// They run in this order, and only the last one is waited for.
	tx.Execute(ctx, engine.Text("UPDATE item SET n = n - 30 WHERE name = 'bolt'"))
	tx.Execute(ctx, engine.Text("UPDATE item SET n = n + 30 WHERE name = 'washer'"))
	fmt.Println(tx.Commit(ctx).Await(ctx))

	fmt.Println(eng.Scalar(ctx, engine.Text("SELECT n FROM item WHERE name = 'washer'")).Await(ctx))
	// Output:
	// <nil>
	// 30 <nil>
}

// A commit is not sent after a statement that failed without anybody's notice.
func ExampleAsyncConnection_Commit() {
	ctx := context.Background()
	eng := shop(ctx)
	defer eng.Sync().Dispose()

	conn, err := eng.Connect(ctx).Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)

	conn.Execute(ctx, engine.Text("DELETE FROM item WHERE name = 'nut'"))
	conn.Execute(ctx, engine.Text("INSERT INTO item (name, n) VALUES ('bolt', 1)")) // there is one
	fmt.Println(conn.Commit(ctx).Await(ctx) != nil)
	fmt.Println(conn.Scalar(ctx, engine.Text("SELECT count(*) FROM item")).Await(ctx))
	// Output:
	// true
	// 3 <nil>
}

func ExampleAsyncConnection_RunSync() {
	ctx := context.Background()
	eng := shop(ctx)
	defer eng.Sync().Dispose()

	// createAll is written for a blocking connection.
	createAll := func(ctx context.Context, conn *engine.Conn) error {
		_, err := conn.Execute(ctx, engine.Text("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)"))
		return err
	}
	conn, err := eng.Connect(ctx).Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)

	created := conn.RunSync(ctx, createAll)
	fmt.Println(conn.Commit(ctx).Await(ctx), created.Await(ctx))
	fmt.Println(conn.Scalar(ctx, engine.Text("SELECT count(*) FROM customer")).Await(ctx))
	// Output:
	// <nil> <nil>
	// 0 <nil>
}

func ExampleAsyncConnection_Stream() {
	ctx := context.Background()
	eng := shop(ctx)
	defer eng.Sync().Dispose()

	conn, err := eng.Connect(ctx).Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)

	rows, err := conn.Stream(ctx, engine.Text("SELECT name, n FROM item ORDER BY name"), engine.WithWindow(2)).Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	type Item struct {
		Name  string
		Count int `db:"n"`
	}
	for item, err := range proxy.StreamAs[Item](rows).Iter(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(item)
		if item.Count < 100 {
			break // the stream is still open
		}
	}
	left := conn.Scalar(ctx, engine.Text("SELECT count(*) FROM item"))
	_, err = left.Await(ctx)
	fmt.Println("busy:", errors.Is(err, engine.ErrConnBusy))
	rows.Close(ctx)
	fmt.Println(left.Await(ctx))
	// Output:
	// {bolt 100}
	// {nut 80}
	// busy: true
	// 3 <nil>
}

func ExampleStream_Partitions() {
	ctx := context.Background()
	eng := shop(ctx)
	defer eng.Sync().Dispose()

	names, err := eng.StreamScalars(ctx, engine.Text("SELECT name FROM item ORDER BY name")).Await(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer names.Close(ctx)
	for part, err := range names.Partitions(ctx, 2) {
		fmt.Println(part, err)
	}
	// Output:
	// [bolt nut] <nil>
	// [washer] <nil>
}
