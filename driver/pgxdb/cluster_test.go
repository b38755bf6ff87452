package pgxdb_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
)

// openCluster opens a handle on servers.
func openCluster(t *testing.T, servers *dbtest.Cluster, chain sp.Chain, opts ...cluster.Option) (*cluster.Cluster, *pgxdb.Pool) {
	t.Helper()
	var nodes []cluster.NodeConfig
	for i := range servers.Servers {
		nodes = append(nodes, cluster.NodeConfig{Name: string(rune('a' + i)), DSN: servers.Database(i).URL("pool_max_conns=4")})
	}
	cl, err := cluster.New(pgxdb.Probe(), nodes, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close() })
	pool, err := pgxdb.NewCluster(t.Context(), cl, chain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return cl, pool
}

// querier is what asks a server who it is.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// A call goes to the primary unless it is certain to only read, or says otherwise.
func TestWhereCallsOfAClusterGo(t *testing.T) {
	t.Parallel()
	servers := dbtest.NewCluster(t, 1)
	cl, pool := openCluster(t, servers, sp.NewChain())
	ctx := t.Context()
	if err := cl.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, "CREATE TABLE things (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	if err := servers.CaughtUp(ctx, 1, 0); err != nil {
		t.Fatal(err)
	}
	awaitReaders(t, cl, 1)
	names := map[int]string{}
	for i := range servers.Servers {
		names[servers.Database(i).Port] = string(rune('a' + i))
	}
	const where = "SELECT inet_server_port()"
	on := func(ctx context.Context, db querier, sql string) string {
		t.Helper()
		var port int
		if err := db.QueryRow(ctx, sql).Scan(&port); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		return names[port]
	}
	in := func(opts pgx.TxOptions, ctx, inside context.Context) (got string) {
		t.Helper()
		err := pool.RunInTx(ctx, opts, func(ctx context.Context, tx pgx.Tx) error {
			if inside != nil {
				ctx = inside
			}
			got = on(ctx, tx, where)
			return pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
				got += on(ctx, tx, where)
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
		return got
	}
	reads := sp.WithReadOnly(ctx)
	for _, c := range []struct {
		what string
		got  string
		want string
	}{
		{"a query", on(ctx, pool, where), "a"},
		{"a declared read", on(reads, pool, where), "b"},
		{"a declared read that locks", on(reads, pool, "SELECT inet_server_port() FROM (SELECT 1) AS x FOR UPDATE"), "a"},
		{"a declared read that deletes", on(reads, pool, "WITH x AS (DELETE FROM things) SELECT inet_server_port()"), "a"},
		{"a unit and a joined one", in(pgx.TxOptions{}, ctx, nil), "aa"},
		{"a unit declared to read, without the server's guard", in(pgx.TxOptions{}, reads, nil), "aa"},
		{"a read-only unit", in(pgx.TxOptions{AccessMode: pgx.ReadOnly}, ctx, nil), "bb"},
		{"a query sent to a replica", on(cluster.On(ctx, cluster.Replica), pool, where), "b"},
		{"a declared read sent to the primary", on(cluster.On(reads, cluster.Primary), pool, where), "a"},
		{"a query sent to a node", on(cluster.OnNode(ctx, "b"), pool, where), "b"},
		{"a verifier that reads", on(sp.WithVerifying(reads), pool, where), "a"},
	} {
		if c.got != c.want {
			t.Errorf("%s: on %q, want %q", c.what, c.got, c.want)
		}
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := on(reads, tx, where); got != "a" {
		t.Errorf("a declared read in a transaction: on %q", got)
	}
	_ = tx.Rollback(ctx)
	conn, err := pool.Acquire(cluster.On(ctx, cluster.Replica))
	if err != nil {
		t.Fatal(err)
	}
	if got := on(ctx, conn, where); got != "b" {
		t.Errorf("on a connection of a replica: on %q", got)
	}
	conn.Release()
	b := &pgx.Batch{}
	b.Queue("INSERT INTO things VALUES (1)")
	if err := pool.SendBatch(reads, b).Close(); err != nil {
		t.Error("a batch:", err)
	}
	if _, err := pool.CopyFrom(ctx, pgx.Identifier{"things"}, []string{"id"}, pgx.CopyFromRows([][]any{{2}})); err != nil {
		t.Error("COPY:", err)
	}
	if err := pool.Ping(ctx); err != nil {
		t.Error("ping:", err)
	}
	_, err = pool.Exec(cluster.OnNode(ctx, "b"), "INSERT INTO things VALUES (3)")
	if fault.Of(err, fault.Situation{}).Class != fault.ClassReadOnly {
		t.Errorf("a write to a replica: %v", err)
	}
	if s := pool.PoolStats(); s.Max != 8 {
		t.Errorf("pools of %d connections, want 8", s.Max)
	}
}

// awaitReaders waits until so many replicas are fit for reads.
func awaitReaders(t *testing.T, cl *cluster.Cluster, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		up := 0
		for _, s := range cl.Status() {
			if s.State == cluster.Up && s.Status.Role == cluster.Replica {
				up++
			}
		}
		if up == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d replicas are up, want %d", up, n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// The spans of a call, and its circuit, have the server that answered.
func TestACallHasTheTargetOfItsNode(t *testing.T) {
	t.Parallel()
	servers := dbtest.NewCluster(t, 1)
	var outer, inner []string
	note := func(into *[]string) sp.Interceptor {
		return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				before := call.Target.Port
				err := next(ctx, call)
				if call.Op != sp.OpConnect {
					*into = append(*into, call.Op.String()+" "+strconv.Itoa(before)+" "+strconv.Itoa(call.Target.Port))
				}
				return err
			}
		})
	}
	_, pool := openCluster(t, servers, sp.NewChain(note(&outer), perNode{note(&inner)}))
	ctx := t.Context()
	err := pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT 1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(servers.Database(0).Port)
	want := func(got []string, transaction string) {
		t.Helper()
		all := strings.Join(got, ", ")
		if all != "BEGIN "+transaction+port+", exec "+port+" "+port+", COMMIT "+port+" "+port+", transaction "+transaction+port {
			t.Errorf("calls, with their ports before and after: %s", all)
		}
	}
	want(outer, "0 ")
	want(inner, port+" ")
}

// perNode makes an interceptor one that sees nodes.
type perNode struct{ sp.Interceptor }

func (perNode) PerNode() {}

// What NewCluster does not take, it refuses with a reason that quotes no password.
func TestWhatNewClusterRefuses(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://u:secret@a,b/db":                                      "several hosts",
		"postgres://u:secret@a/db?target_session_attrs=read-write":        "target_session_attrs",
		"postgres://u:secret@a:port/db":                                   "read the connection string",
		"postgres://u:sec@ret@a/db":                                       "@",
		"host=a port=5432 user=u password=secret dbname=d target_session": "read the connection string",
	} {
		_, err := cluster.New(pgxdb.Probe(), []cluster.NodeConfig{{Name: "a", DSN: dsn}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v, want something about %s", dsn, err, want)
		}
	}
	if _, err := pgxdb.NewCluster(t.Context(), nil, sp.NewChain()); err == nil {
		t.Error("no cluster is taken")
	}
	cl, err := cluster.New(pgxdb.Probe(), []cluster.NodeConfig{{Name: "a", DSN: "postgres://127.0.0.1:1/x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := pgxdb.NewCluster(t.Context(), cl, sp.NewChain(), pgxdb.WithTarget(sp.Target{System: sp.PostgreSQL})); err == nil {
		t.Error("WithTarget is taken")
	}
	pool, err := pgxdb.NewCluster(t.Context(), cl, sp.NewChain())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = pool.Exec(ctx, "SELECT 1")
	if !errors.Is(err, cluster.ErrNoNode) || !errors.Is(err, fault.ErrRejected) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without any server: %v", err)
	}
}
