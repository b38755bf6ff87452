package pgxdb_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
)

// A tracer lets the links of a chain that only observe see what a library does
// with pgx's own pool.
func ExampleNewTracer() {
	ctx := context.Background()
	url, giveBack := serverURL(ctx)
	defer giveBack()

	counted := sp.Observing(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if op, text := call.Op, call.Text; op != sp.OpConnect {
				call.OnFinish(func(err error) { fmt.Println(op, text, err) })
			}
			return next(ctx, call)
		}
	}))
	tracer, err := pgxdb.NewTracer(sp.NewChain(counted))
	if err != nil {
		log.Fatal(err)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		log.Fatal(err)
	}
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT 1")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// query SELECT 1 <nil>
	// COMMIT  <nil>
	// BEGIN  <nil>
}
