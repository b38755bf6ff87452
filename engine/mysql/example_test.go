package mysql_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/mysql"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func Example() {
	ctx := context.Background()
	server, giveBack, err := dbtest.Borrow(ctx, dbtest.KindMariaDB) // stands for a service's configuration
	if err != nil {
		log.Fatal(err)
	}
	defer giveBack()
	eng, err := engine.Open(ctx, server.URL())
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Dispose()

	err = eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
		if _, err := tx.Execute(ctx, engine.Text("CREATE TABLE goods (id INTEGER PRIMARY KEY, name VARCHAR(20))")); err != nil {
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
