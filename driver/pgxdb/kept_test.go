package pgxdb_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// keeper keeps contexts that are handed to a user's code, with what their call was
// then. A call is found by them for as long as somebody has them, such as a
// goroutine that a hook starts: it must never be another one.
type keeper struct {
	mu   sync.Mutex
	kept []kept
}

type kept struct {
	ctx  context.Context
	op   sp.Op
	text string
}

func (k *keeper) keep(ctx context.Context) {
	if call := sp.CallFrom(ctx); call != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.kept = append(k.kept, kept{ctx, call.Op, call.Text})
	}
}

func (k *keeper) look(t *testing.T) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept) == 0 {
		t.Error("no context was kept")
	}
	for _, was := range k.kept {
		if call := sp.CallFrom(was.ctx); call.Op != was.op || call.Text != was.text {
			t.Errorf("the call of %s %q has become that of %s %q", was.op, was.text, call.Op, call.Text)
			return
		}
	}
}

// TraceQueryStart is the method of [pgx.QueryTracer].
func (k *keeper) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	k.keep(ctx)
	return ctx
}

// TraceQueryEnd is the method of [pgx.QueryTracer].
func (k *keeper) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	k.keep(ctx)
}

// TestContextsThatHooksKeep is about the functions of a pool's configuration, which
// get the context of the call that a connection is taken for, and may keep it.
func TestContextsThatHooksKeep(t *testing.T) {
	t.Parallel()
	pass := sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })
	url := dbtest.Postgres(t).Database(t).URL("pool_max_conns=2")
	for name, hook := range map[string]func(c *pgxpool.Config, k *keeper){
		"AfterConnect": func(c *pgxpool.Config, k *keeper) {
			c.AfterConnect = func(ctx context.Context, _ *pgx.Conn) error {
				k.keep(ctx)
				return nil
			}
		},
		"PrepareConn": func(c *pgxpool.Config, k *keeper) {
			c.PrepareConn = func(ctx context.Context, _ *pgx.Conn) (bool, error) {
				k.keep(ctx)
				return true, nil
			}
		},
		"ShouldPing": func(c *pgxpool.Config, k *keeper) {
			c.ShouldPing = func(ctx context.Context, _ pgxpool.ShouldPingParams) bool {
				k.keep(ctx)
				return false
			}
		},
		"Tracer": func(c *pgxpool.Config, k *keeper) { c.ConnConfig.Tracer = k },
	} {
		for _, opts := range [][]pgxdb.Option{nil, {pgxdb.WithAcquireCalls()}} {
			for _, chain := range []sp.Chain{sp.NewChain(&recorder{}), sp.NewChain(pass)} { // with hooks, and without
				for _, wrapped := range []bool{false, true} {
					config, k := must(pgxpool.ParseConfig(url)), &keeper{}
					hook(config, k)
					var pool *pgxdb.Pool
					if wrapped {
						raw := must(pgxpool.NewWithConfig(t.Context(), config))
						pool = must(pgxdb.WrapPool(raw, chain, opts...))
					} else {
						pool = must(pgxdb.NewPoolWithConfig(t.Context(), config, chain, opts...))
					}
					useTwice(t, pool)
					pool.Close()
					if wrapped && opts == nil && name != "Tracer" {
						if len(k.kept) > 0 {
							t.Errorf("%s: a context has a call", name)
						}
						continue
					}
					k.look(t)
				}
			}
		}
	}
}

// useTwice performs statements of every kind, and as many again, which get the
// calls that were given back.
func useTwice(t *testing.T, pool *pgxdb.Pool) {
	t.Helper()
	ctx := t.Context()
	for range 2 {
		exec(t, pool, "SELECT 1")
		rows := must(pool.Query(ctx, "SELECT 2"))
		rows.Close()
		_ = pool.QueryRow(ctx, "SELECT 3").Scan(nil)
		_ = pool.SendBatch(ctx, batch("SELECT 4", "SELECT 5")).Close()
		tx := must(pool.Begin(ctx))
		_ = tx.Commit(ctx)
		must(pool.Acquire(ctx)).Release()
		_ = pool.Ping(ctx)
	}
}

// TestTheCallAboveThatTakesAConnection holds that a call of taking a connection,
// which ends after the statement that it is a step of if nothing else waits for
// that, has the statement's call above it to the end.
func TestTheCallAboveThatTakesAConnection(t *testing.T) {
	t.Parallel()
	var above []string
	acquires := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if upper := call.Parent; call.Op == sp.OpAcquire && upper != nil {
				was := upper.Op.String() + " " + upper.Text
				call.OnFinish(func(error) {
					if is := upper.Op.String() + " " + upper.Text; is != was {
						t.Errorf("the call above was %s, and is %s", was, is)
					}
					above = append(above, was)
				})
			}
			return next(ctx, call)
		}
	})
	pool := must(pgxdb.NewPool(t.Context(), dbtest.Postgres(t).Database(t).URL("pool_max_conns=3"), sp.NewChain(acquires), pgxdb.WithAcquireCalls()))
	defer pool.Close()
	ctx := t.Context()
	for range 4 {
		rows := must(pool.Query(ctx, "SELECT 1"))
		exec(t, pool, "SELECT 2")
		tx := must(pool.Begin(ctx))
		exec(t, pool, "SELECT 3")
		rows.Close()
		exec(t, pool, "SELECT 4")
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		results := pool.SendBatch(ctx, batch("begin", "SELECT 5"))
		tx = results.(interface{ Tx() pgx.Tx }).Tx()
		_ = results.Close()
		exec(t, pool, "SELECT 6")
		if tx != nil {
			_ = tx.Rollback(ctx)
		}
	}
	if !slices.Contains(above, "query SELECT 1") || !slices.Contains(above, "BEGIN ") {
		t.Errorf("calls above: %v", above)
	}
}
