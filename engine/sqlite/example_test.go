package sqlite_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/sqlite"
)

func Example() {
	ctx := context.Background()
	eng, err := engine.Open(ctx, "sqlite::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Dispose()

	err = eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
		if _, err := tx.Execute(ctx, engine.Text("CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT)")); err != nil {
			return err
		}
		_, err := tx.Execute(ctx, engine.Text("INSERT INTO goods VALUES (?, ?), (?, ?)", 1, "tea", 2, "cup"))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	names, err := engine.All[string](ctx, eng, engine.Text("SELECT name FROM goods ORDER BY name"))
	fmt.Println(names, err)
	// Output: [cup tea] <nil>
}
