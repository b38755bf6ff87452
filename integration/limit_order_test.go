package integration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/orm"
	"github.com/sessionproxy/sessionproxy/proxy"
)

// limitedWays are the ways in which a service gets to a database whose pool and
// whose limit are given. middleware/limit has the property test in virtual time;
// this one has every attachment.
type limitedWays struct {
	limiters []*limit.Limiter
	permits  int
	calls    map[string]func(ctx context.Context) error
}

const limitedPool = 4

// links returns a limit of its own, and before it one that fails the test if a call
// that has a connection waits.
func (w *limitedWays) links(t *testing.T) []sp.Interceptor {
	t.Helper()
	l := must(limit.New(w.permits, limit.WithQueue(1000)))
	w.limiters = append(w.limiters, l)
	watch := func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnEvent(func(e sp.Event) {
				if e.Kind == sp.EventQueued && call.Scope == sp.ScopeConn {
					t.Errorf("%v has waited for a permit with its connection", call.Op)
				}
			})
			return next(ctx, call)
		}
	}
	return []sp.Interceptor{sp.InterceptorFunc(watch), l}
}

func newLimitedWays(t *testing.T, server dbtest.Database, permits int) *limitedWays {
	t.Helper()
	w := &limitedWays{permits: permits, calls: map[string]func(ctx context.Context) error{}}
	w.engine(t, server)
	w.sql(t, server)
	w.pgx(t, server)
	return w
}

func (w *limitedWays) engine(t *testing.T, server dbtest.Database) {
	t.Helper()
	eng := openEngine(t, server.URL(), engine.WithChain(sp.NewChain(w.links(t)...)), engine.WithPoolSize(limitedPool), engine.WithMaxOverflow(0))
	maker := must(proxy.NewMaker(eng))
	async := must(proxy.NewAsyncEngine(eng))
	w.calls["engine's statement"] = func(ctx context.Context) error {
		_, err := eng.Execute(ctx, engine.Text("SELECT 1"))
		return err
	}
	w.calls["session"] = func(ctx context.Context) error {
		s := orm.NewSession(eng)
		_, err := s.Execute(ctx, engine.Text("SELECT 1"))
		return errors.Join(err, s.Commit(ctx), s.Close(ctx))
	}
	w.calls["engine's transaction"] = func(ctx context.Context) error {
		tx, err := eng.Begin(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Execute(ctx, engine.Text("SELECT 1"))
		return errors.Join(err, tx.Commit(ctx))
	}
	w.calls["engine's unit"] = func(ctx context.Context) error {
		return eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
			_, err := tx.Execute(ctx, engine.Text("SELECT 1"))
			return err
		})
	}
	w.calls["engine's connection"] = func(ctx context.Context) error {
		c, err := eng.Connect(ctx)
		if err != nil {
			return err
		}
		_, err = c.Execute(ctx, engine.Text("SELECT 1"))
		return errors.Join(err, c.Close(ctx))
	}
	w.calls["maker's unit"] = func(ctx context.Context) error {
		return maker.Run(ctx, func(ctx context.Context, s *proxy.Session) error {
			_, err := s.Execute(ctx, engine.Text("SELECT 1"))
			return err
		})
	}
	w.calls["awaited statement"] = func(ctx context.Context) error {
		_, err := async.Execute(ctx, engine.Text("SELECT 1")).Await(ctx)
		return err
	}
}

func (w *limitedWays) sql(t *testing.T, server dbtest.Database) {
	t.Helper()
	db := openDSN(t, "pgx", server.DSN(), w.links(t)...)
	db.SetMaxOpenConns(limitedPool)
	w.calls["plain transaction"] = func(ctx context.Context) error {
		tx, err := db.DB.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		return errors.Join(unitSQL{tx}.exec(ctx, "SELECT 1"), tx.Commit())
	}
	w.calls["plain statement"] = func(ctx context.Context) error {
		_, err := db.DB.ExecContext(ctx, "SELECT 1")
		return err
	}
	w.calls["plain connection"] = func(ctx context.Context) error {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		_, err = c.ExecContext(ctx, "SELECT 1")
		return errors.Join(err, c.Close())
	}
	w.calls["handle's query"] = func(ctx context.Context) error {
		var n int
		return db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
	}
	w.calls["handle's unit"] = func(ctx context.Context) error {
		return db.RunInTx(ctx, nil, func(ctx context.Context, tx *sql.Tx) error { return unitSQL{tx}.exec(ctx, "SELECT 1") })
	}
}

func (w *limitedWays) pgx(t *testing.T, server dbtest.Database) {
	t.Helper()
	native := must(pgxdb.NewPool(t.Context(), server.URL(fmt.Sprintf("pool_max_conns=%d", limitedPool)), sp.NewChain(w.links(t)...)))
	t.Cleanup(native.Close)
	w.calls["pgx's statement"] = func(ctx context.Context) error {
		_, err := native.Exec(ctx, "SELECT 1")
		return err
	}
	w.calls["pgx's batch"] = func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		b.Queue("SELECT 2")
		return native.SendBatch(ctx, b).Close()
	}
	w.calls["pgx's unit"] = func(ctx context.Context) error {
		return native.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error { return unitPgx{tx}.exec(ctx, "SELECT 1") })
	}
	w.calls["pgx's transaction"] = func(ctx context.Context) error {
		tx, err := native.Begin(ctx)
		if err != nil {
			return err
		}
		return errors.Join(unitPgx{tx}.exec(ctx, "SELECT 1"), tx.Commit(ctx))
	}
	w.calls["pgx's connection"] = func(ctx context.Context) error {
		return native.AcquireFunc(ctx, func(c *pgxdb.PoolConn) error {
			if _, err := c.Exec(ctx, "SELECT 1"); err != nil {
				return err
			}
			tx, err := c.Begin(ctx)
			if err != nil {
				return err
			}
			return errors.Join(unitPgx{tx}.exec(ctx, "SELECT 1"), tx.Commit(ctx))
		})
	}
}

// TestALimitStallsNobody runs those who take a permit before their connection
// beside those who have a connection before their statements, on every attachment,
// with limits below, at and above the pool's size: nobody is refused, nobody waits
// for a permit with a connection or while one is free, and all come to an end.
func TestALimitStallsNobody(t *testing.T) {
	t.Parallel()
	const callers, rounds = 4, 12
	server := dbtest.Postgres(t).Database(t)
	for _, permits := range []int{1, limitedPool - 1, limitedPool, 2 * limitedPool} {
		t.Run(fmt.Sprint("limit ", permits), func(t *testing.T) {
			w := newLimitedWays(t, server, permits)
			ctx, stop := context.WithCancel(t.Context())
			var work, watch sync.WaitGroup
			watch.Go(func() { w.watch(ctx, t) })
			for name, call := range w.calls {
				for range callers {
					work.Go(func() {
						for range rounds {
							if err := call(t.Context()); err != nil {
								t.Errorf("%s: %v", name, err)
								return
							}
						}
					})
				}
			}
			work.Wait()
			stop()
			watch.Wait()
			for _, l := range w.limiters {
				if s := l.Stats(); s.InUse != 0 || s.Waiting != 0 {
					t.Errorf("after all: %+v", s)
				}
			}
		})
	}
}

// watch looks at the limits, which say how they are at one moment, until ctx is over.
func (w *limitedWays) watch(ctx context.Context, t *testing.T) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for _, l := range w.limiters {
			if s := l.Stats(); s.Waiting > 0 && s.InUse < w.permits {
				t.Errorf("%d wait for a permit, of which %d are free", s.Waiting, w.permits-s.InUse)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
