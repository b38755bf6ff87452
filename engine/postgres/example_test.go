package postgres_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sessionproxy/sessionproxy/engine"
	_ "github.com/sessionproxy/sessionproxy/engine/postgres"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

func Example() {
	ctx := context.Background()
	server, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres) // stands for a service's configuration
	if err != nil {
		log.Fatal(err)
	}
	defer giveBack()
	eng, err := engine.Open(ctx, server.URL())
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Dispose()

	type order struct {
		ID    int64
		Goods []string
	}
	orders, err := engine.All[order](ctx, eng, engine.Text("SELECT 1 AS id, :goods::text[] AS goods", engine.Params{"goods": []string{"tea", "cup"}}))
	fmt.Println(orders, err)
	// Output: [{1 [tea cup]}] <nil>
}
