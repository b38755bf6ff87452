package integration_test

import (
	"context"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
)

// A hedge goes to another server: with one of two replicas frozen, before its
// monitor knows, every read is answered by the other one.
func TestAHedgeGoesToAnotherNode(t *testing.T) {
	t.Parallel()
	servers := dbtest.NewCluster(t, 2)
	var nodes []cluster.NodeConfig
	for i := range servers.Servers {
		nodes = append(nodes, cluster.NodeConfig{Name: string(rune('a' + i)), DSN: servers.Database(i).URL("pool_max_conns=30")})
	}
	cl := must(cluster.New(pgxdb.Probe(), nodes, cluster.WithProbeTimeout(time.Hour)))
	t.Cleanup(func() { _ = cl.Close() })
	w := &watch{}
	hedger := must(hedge.New(hedge.WithDelay(50*time.Millisecond), hedge.WithBudget(1)))
	pool := must(pgxdb.NewCluster(t.Context(), cl, sp.NewChain(w, hedger)))
	t.Cleanup(pool.Close)
	if err := cl.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"b", "c"} { // a connection to each, since a frozen server opens none
		var m int
		if err := pool.QueryRow(cluster.OnNode(t.Context(), n), "SELECT 1").Scan(&m); err != nil {
			t.Fatal(err)
		}
	}
	if err := servers.Servers[1].Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = servers.Servers[1].Resume() })
	frozen, there := servers.Database(1).Port, servers.Database(2).Port
	for range 20 {
		ctx, cancel := context.WithTimeout(sp.WithReadOnly(t.Context()), 20*time.Second)
		var port int
		if err := pool.QueryRow(ctx, "SELECT inet_server_port()").Scan(&port); err != nil || port != there {
			t.Errorf("answered by %d, %v; want %d, with %d frozen", port, err, there, frozen)
		}
		cancel()
	}
	if w.count(hedge.Event) == 0 {
		t.Error("no read was hedged: this test has shown nothing")
	}
}
