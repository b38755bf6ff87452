package pgxdb_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
)

// serverURL stands for a service's configuration.
func serverURL(ctx context.Context) (url string, giveBack func() error) {
	db, giveBack, err := dbtest.Borrow(ctx, dbtest.KindPostgres)
	if err != nil {
		log.Fatal(err)
	}
	return db.URL(), giveBack
}

func Example() {
	ctx := context.Background()
	url, giveBack := serverURL(ctx)
	defer giveBack()

	again, err := retry.New()
	if err != nil {
		log.Fatal(err)
	}
	pool, err := pgxdb.NewPool(ctx, url, sp.NewChain(again))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	rows, err := pool.Query(ctx, "SELECT n, n*n FROM generate_series(1, $1) n", 3)
	if err != nil {
		log.Fatal(err)
	}
	type square struct{ N, Square int }
	squares, err := pgx.CollectRows(rows, pgx.RowToStructByPos[square])
	fmt.Println(squares, err)
	// Output: [{1 1} {2 4} {3 9}] <nil>
}

func ExamplePool_RunInTx() {
	ctx := context.Background()
	url, giveBack := serverURL(ctx)
	defer giveBack()

	again, err := retry.New()
	if err != nil {
		log.Fatal(err)
	}
	pool, err := pgxdb.NewPool(ctx, url, sp.NewChain(again))
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	var total int
	err = pool.RunInTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "CREATE TABLE accounts (id int, balance int)"); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO accounts VALUES (1, 40), (2, 2)"); err != nil {
			return err
		}
		return tx.QueryRow(ctx, "SELECT sum(balance) FROM accounts").Scan(&total)
	})
	fmt.Println(total, err)
	// Output: 42 <nil>
}
