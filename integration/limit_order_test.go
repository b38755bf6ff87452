package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/orm"
)

// TestALimitBelowThePoolStallsNobody runs those who take a permit before their
// connection beside those who have a connection before their statements: nobody
// is refused, on any attachment.
func TestALimitBelowThePoolStallsNobody(t *testing.T) {
	t.Parallel()
	const pool, permits, callers, rounds = 4, 3, 8, 25
	server := dbtest.Postgres(t).Database(t)
	limited := func() sp.Chain { return sp.NewChain(must(limit.New(permits))) }

	eng := openEngine(t, server.URL(), engine.WithChain(limited()), engine.WithPoolSize(pool), engine.WithMaxOverflow(0))
	plain := must(sql.Open("pgx", server.DSN())) // to make the table
	defer plain.Close()                          //nolint:errcheck // of a test
	mustExec(t, plain, "CREATE TABLE work (n INT)")
	db := openDSN(t, "pgx", server.DSN(), must(limit.New(permits)))
	db.SetMaxOpenConns(pool)
	native := must(pgxdb.NewPool(t.Context(), server.URL("pool_max_conns=4"), limited()))
	t.Cleanup(native.Close)

	all := map[string]func(ctx context.Context) error{
		"engine's statement": func(ctx context.Context) error {
			_, err := eng.Execute(ctx, engine.Text("SELECT 1"))
			return err
		},
		"session": func(ctx context.Context) error {
			s := orm.NewSession(eng)
			_, err := s.Execute(ctx, engine.Text("SELECT 1"))
			return errors.Join(err, s.Commit(ctx), s.Close(ctx))
		},
		"engine's transaction": func(ctx context.Context) error {
			tx, err := eng.Begin(ctx)
			if err != nil {
				return err
			}
			_, err = tx.Execute(ctx, engine.Text("SELECT 1"))
			return errors.Join(err, tx.Commit(ctx))
		},
		"engine's unit": func(ctx context.Context) error {
			return eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
				_, err := tx.Execute(ctx, engine.Text("SELECT 1"))
				return err
			})
		},
		"plain transaction": func(ctx context.Context) error {
			tx, err := db.DB.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return errors.Join(unitSQL{tx}.exec(ctx, "SELECT 1"), tx.Commit())
		},
		"plain statement": func(ctx context.Context) error {
			_, err := db.DB.ExecContext(ctx, "SELECT 1")
			return err
		},
		"handle's unit": func(ctx context.Context) error {
			return db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error { return unitSQL{tx}.exec(ctx, "SELECT 1") })
		},
		"pgx's statement": func(ctx context.Context) error {
			_, err := native.Exec(ctx, "SELECT 1")
			return err
		},
		"pgx's unit": func(ctx context.Context) error {
			return native.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error { return unitPgx{tx}.exec(ctx, "SELECT 1") })
		},
		"pgx's connection": func(ctx context.Context) error {
			return native.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
				tx, err := c.Begin(ctx)
				if err != nil {
					return err
				}
				return errors.Join(unitPgx{tx}.exec(ctx, "SELECT 1"), tx.Commit(ctx))
			})
		},
	}
	var wg sync.WaitGroup
	for name, call := range all {
		for range callers {
			wg.Go(func() {
				for range rounds {
					if err := call(t.Context()); err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}
