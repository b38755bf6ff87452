package pgxdb_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// connects returns the calls that opened connections.
func (r *recorder) connects() (out []seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.calls {
		if s.op == sp.OpConnect {
			out = append(out, *s)
		}
	}
	return out
}

func TestConnectingIsAStepOfWhatWaitsForIt(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "SELECT 1")
	exec(t, pool, "SELECT 1")
	got := rec.connects()
	if len(got) != 1 || !got[0].step || got[0].err != nil || got[0].finished != 1 {
		t.Errorf("%+v", got)
	}
}

func TestARefusalKeepsPgxFromDialling(t *testing.T) {
	t.Parallel()
	var dialled atomic.Int32
	config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL()))
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled.Add(1)
		return dial(ctx, network, addr)
	}
	rec := &recorder{}
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(rec, refuse(sp.OpConnect, false, errRefused))))
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "SELECT 1"); !errors.Is(err, errRefused) || dialled.Load() != 0 {
		t.Errorf("dialled %d times, %v", dialled.Load(), err)
	}
	if got := rec.connects(); len(got) != 1 || got[0].finished != 1 {
		t.Errorf("%+v", got)
	}
}

// TestAChainThatEndsItsGoroutineLeavesThePoolSound has an interceptor call
// runtime.Goexit, before pgx dials and after: pgx opens connections on
// goroutines of its own, which its pool waits for.
func TestAChainThatEndsItsGoroutineLeavesThePoolSound(t *testing.T) {
	t.Parallel()
	after := false
	exits := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if call.Op != sp.OpConnect {
				return next(ctx, call)
			}
			if after {
				_ = next(ctx, call)
			}
			runtime.Goexit()
			return nil
		}
	})
	pool := poolOf(t, dbtest.Postgres(t).Database(t).URL(), exits)
	if err := pool.Ping(t.Context()); !errors.Is(err, sp.ErrAborted) {
		t.Errorf("error %v, want that the call was aborted", err)
	}
	after = true
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("pgx has dialled, and says %v", err)
	}
	sound(t, pool)
}

func TestAConnectionThatFailsIsSeen(t *testing.T) {
	t.Parallel()
	url := strings.Replace(dbtest.Postgres(t).Database(t).URL(), "@", "secret@", 1) // the wrong password
	rec := &recorder{}
	pool := poolOf(t, url, rec)
	_, err := pool.Exec(t.Context(), "SELECT 1")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "28P01" || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	got := rec.connects()
	if len(got) == 0 || got[0].err == nil || got[0].end != got[0].err || got[0].finished != 1 {
		t.Errorf("%+v", got)
	}
}

// spy is a user's tracer of everything.
type spy struct{ connects, queries, ends atomic.Int32 }

func (s *spy) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	s.connects.Add(1)
	return context.WithValue(ctx, spy{}, "mine")
}

func (s *spy) TraceConnectEnd(ctx context.Context, _ pgx.TraceConnectEndData) {
	if ctx.Value(spy{}) == "mine" {
		s.ends.Add(1)
	}
}

func (s *spy) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.queries.Add(1)
	return ctx
}

func (s *spy) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestTheUsersHooksAndTracersSurvive(t *testing.T) {
	t.Parallel()
	config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL()))
	s := &spy{}
	var before, after int
	config.ConnConfig.Tracer = s
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { before++; return nil }
	config.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		after++
		if c.Config().Tracer != s {
			t.Error("the connection has another tracer than the user's")
		}
		return nil
	}
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(&recorder{})))
	defer pool.Close()
	exec(t, pool, "SELECT 1")
	if before != 1 || after != 1 || s.connects.Load() != 1 || s.ends.Load() != 1 || s.queries.Load() != 1 {
		t.Errorf("before %d, after %d, connects %d and %d, queries %d", before, after, s.connects.Load(), s.ends.Load(), s.queries.Load())
	}
}

func TestTheChainsContextIsTheOneDialledWith(t *testing.T) {
	t.Parallel()
	type key struct{}
	derive := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			return next(context.WithValue(ctx, key{}, call.Op), call)
		}
	})
	config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL()))
	dial := config.ConnConfig.DialFunc
	var got any
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		got = ctx.Value(key{})
		return dial(ctx, network, addr)
	}
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(derive)))
	defer pool.Close()
	if err := pool.Ping(t.Context()); err != nil || got != sp.OpConnect {
		t.Error(got, err)
	}
}

func TestMistakesAreNamedAndSecretsAreNot(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"URL":    second(pgxdb.NewPool(t.Context(), "postgres://app:s3cr3t@db:notaport/shop", sp.NewChain())),
		"nil":    second(pgxdb.NewPoolWithConfig(t.Context(), nil, sp.NewChain())),
		"pool":   second(pgxdb.WrapPool(nil, sp.NewChain())),
		"conn":   second(pgxdb.WrapConn(nil, sp.NewChain())),
		"target": second(pgxdb.NewPool(t.Context(), "postgres://app:s3cr3t@db/shop", sp.NewChain(), pgxdb.WithTarget(sp.Target{}))),
		"port":   second(pgxdb.NewPool(t.Context(), "postgres://app:s3cr3t@db/shop", sp.NewChain(), pgxdb.WithTarget(sp.Target{System: sp.PostgreSQL, Port: -1}))),
		"no host": func() error {
			return poolOf(t, "postgres://app:s3cr3t@127.0.0.1:1/shop", &recorder{}).Ping(t.Context())
		}(),
	} {
		if err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheTargetIsRead(t *testing.T) {
	t.Parallel()
	pool := poolOf(t, "postgres://app:s3cr3t@db.example.com:6432/shop?search_path=sales")
	want := sp.Target{System: sp.PostgreSQL, Host: "db.example.com", Port: 6432, Namespace: "shop|sales", User: "app"}
	if got := pool.Target(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func second[T any](_ T, err error) error { return err }
