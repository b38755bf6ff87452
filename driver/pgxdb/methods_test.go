package pgxdb_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// TestTheMethodsArePgxs shows what a release of pgx has that is missing here. A
// method that hands out or takes one of pgx's types that have a counterpart here
// has the counterpart.
func TestTheMethodsArePgxs(t *testing.T) {
	t.Parallel()
	counterparts := map[reflect.Type]reflect.Type{
		reflect.TypeFor[*pgxpool.Conn]():             reflect.TypeFor[*pgxdb.PoolConn](),
		reflect.TypeFor[[]*pgxpool.Conn]():           reflect.TypeFor[[]*pgxdb.PoolConn](),
		reflect.TypeFor[func(*pgxpool.Conn) error](): reflect.TypeFor[func(*pgxdb.PoolConn) error](),
	}
	for _, tc := range []struct{ theirs, ours reflect.Type }{
		{reflect.TypeFor[*pgxpool.Pool](), reflect.TypeFor[*pgxdb.Pool]()},
		{reflect.TypeFor[*pgx.Conn](), reflect.TypeFor[*pgxdb.Conn]()},
		{reflect.TypeFor[*pgxpool.Conn](), reflect.TypeFor[*pgxdb.PoolConn]()},
		{reflect.TypeFor[*pgxpool.Tx](), reflect.TypeFor[*pgxdb.Tx]()},
	} {
		for theirs := range tc.theirs.Methods() {
			ours, ok := tc.ours.MethodByName(theirs.Name)
			if !ok {
				t.Errorf("%v has %s, %v has not", tc.theirs, theirs.Name, tc.ours)
				continue
			}
			if theirs.Name == "Hijack" { // a connection that is nobody's but the caller's, with its chain
				continue
			}
			if want, got := signature(theirs.Type, counterparts), signature(ours.Type, nil); want != got {
				t.Errorf("%v: %s is %s, want %s", tc.ours, theirs.Name, got, want)
			}
		}
	}
}

// signature writes a method's parameters and results, without its receiver.
func signature(m reflect.Type, counterparts map[reflect.Type]reflect.Type) (s string) {
	write := func(t reflect.Type) {
		if c, ok := counterparts[t]; ok {
			t = c
		}
		s += t.String() + ", "
	}
	for i := 1; i < m.NumIn(); i++ {
		write(m.In(i))
	}
	s += "-> "
	for r := range m.Outs() {
		write(r)
	}
	return s
}

func TestDeallocateIsPgxs(t *testing.T) {
	t.Parallel()
	rec := &recorder{}
	url := dbtest.Postgres(t).Database(t).URL()
	for name, links := range map[string][]sp.Interceptor{"no link": nil, "a link": {rec}} {
		open := func() *pgxdb.Conn {
			raw := must(pgx.Connect(t.Context(), url))
			t.Cleanup(func() { _ = raw.Close(context.Background()) })
			return must(pgxdb.WrapConn(raw, sp.NewChain(links...)))
		}
		c := open()
		for _, text := range []string{"SELECT $1::int", "SELECT $1::int + 1"} {
			var n int
			if _, err := c.Prepare(t.Context(), "ps", text); err != nil {
				t.Fatal(name, err)
			}
			if err := c.QueryRow(t.Context(), "ps", 7).Scan(&n); err != nil || n < 7 {
				t.Error(name, n, err)
			}
			if err := c.Deallocate(t.Context(), "ps"); err != nil {
				t.Error(name, err)
			}
		}
		const named = "SELECT $1::text"
		must(c.Prepare(t.Context(), named, named))
		if err := c.Deallocate(t.Context(), named); err != nil {
			t.Error(name, "a statement named by its text:", err)
		}
		must(c.Prepare(t.Context(), "ps", named))
		tx := must(c.Begin(t.Context()))
		_, _ = tx.Exec(t.Context(), "SELECT 1/0")
		if err := c.Deallocate(t.Context(), "ps"); err != nil {
			t.Error(name, "in an aborted transaction:", err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Error(name, err)
		}
		must(c.Prepare(t.Context(), "ps", named))
		if err := c.DeallocateAll(t.Context()); err != nil {
			t.Error(name, err)
		}
		if _, err := c.Exec(t.Context(), "EXECUTE ps('x')"); err == nil {
			t.Error(name, "the statement is still there")
		}
		if _, err := c.Prepare(t.Context(), "ps", named); err != nil {
			t.Error(name, err)
		}
	}
}

func TestTheRestOfAConnection(t *testing.T) {
	t.Parallel()
	pool, rec := newPool(t)
	exec(t, pool, "CREATE TYPE mood AS ENUM ('sad', 'glad')")
	c := must(pool.Acquire(t.Context()))
	defer c.Release()
	if c.Conn() != c.Unwrap() || c.PgConn() != c.Conn().PgConn() || c.TypeMap() != c.Conn().TypeMap() {
		t.Error("the connection hands out what is not its own")
	}
	one := must(c.LoadType(t.Context(), "mood"))
	all := must(c.LoadTypes(t.Context(), []string{"mood"}))
	if one.Name != "mood" || len(all) == 0 {
		t.Error(one, all)
	}
	exec(t, c, "LISTEN news")
	exec(t, pool, "NOTIFY news, 'today'")
	if n, err := c.WaitForNotification(t.Context()); err != nil || n.Payload != "today" {
		t.Error(n, err)
	}
	rec.take()
	idle := pool.AcquireAllIdle(t.Context())
	if len(idle) == 0 {
		t.Fatal("no connection was idle")
	}
	for _, i := range idle {
		exec(t, i, "SELECT 1")
		i.Release()
	}
	if calls := rec.take(); len(calls) != len(idle) {
		t.Errorf("the chain saw %v", ops(calls))
	}
}

func TestAConfigurationGivenOnHooksOnce(t *testing.T) {
	t.Parallel()
	hooks := 0
	config := must(pgxpool.ParseConfig(dbtest.Postgres(t).Database(t).URL("pool_max_conns=1")))
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { hooks++; return nil }
	first, second := &recorder{}, &recorder{}
	connects := func(r *recorder) (n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.calls {
			if c.op == sp.OpConnect {
				n++
			}
		}
		return n
	}
	pool := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(first)))
	t.Cleanup(pool.Close)
	for name, config := range map[string]*pgxpool.Config{
		"the pool's":     pool.Config(),
		"pgx's own pool": pool.Unwrap().Config(),
	} {
		*second, hooks = recorder{}, 0
		other := must(pgxdb.NewPoolWithConfig(t.Context(), config, sp.NewChain(second)))
		exec(t, other, "SELECT 1")
		other.Close()
		if a, b := connects(first), connects(second); a != 0 || b != 1 || hooks != 1 {
			t.Errorf("%s: the first chain saw %d connects, the second %d, the hook %d", name, a, b, hooks)
		}
	}
	raw := must(pgxpool.NewWithConfig(t.Context(), pool.Config()))
	exec(t, raw, "SELECT 1")
	raw.Close()
	if n := connects(first); n != 0 {
		t.Errorf("the chain saw %d connects of pgx's own pool", n)
	}
}
