package integration_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/retry"
)

// clusters has a call wait for the first view of a cluster, and a read go to
// another server after it has failed on a replica.
func (e *emitter) clusters(t *testing.T) {
	if e.system != sp.PostgreSQL {
		return
	}
	cl := must(cluster.New(oneServer{pgxdb.Probe()}, []cluster.NodeConfig{
		{Name: "a", DSN: e.source},
		{Name: "b", DSN: strings.Replace(e.source, "127.0.0.1", "localhost", 1)},
	}))
	defer cl.Close()
	pool := must(pgxdb.NewCluster(t.Context(), cl, sp.NewChain(e.observed(must(retry.New()), &failsOnB{})...)))
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	for len(cl.Status()) == 2 && cl.Status()[1].State != cluster.Up {
		time.Sleep(time.Millisecond)
	}
	var n int
	if err := pool.QueryRow(sp.WithReadOnly(t.Context()), "SELECT 1").Scan(&n); err != nil {
		t.Error(err)
	}
}

// oneServer probes one server under two names, as if they were a primary and its
// replica.
type oneServer struct{ cluster.Probe }

// Connect tells the role by the name.
func (o oneServer) Connect(ctx context.Context, dsn string) (cluster.ProbeConn, error) {
	conn, err := o.Probe.Connect(ctx, dsn)
	role := cluster.Primary
	if strings.Contains(dsn, "localhost") {
		role = cluster.Replica
	}
	return oneConn{conn, role}, err
}

type oneConn struct {
	cluster.ProbeConn

	role cluster.Role
}

// Ask asks, and tells the role that was given.
func (o oneConn) Ask(ctx context.Context) (cluster.Status, error) {
	s, err := o.ProbeConn.Ask(ctx)
	s.Role = o.role
	return s, err
}

// failsOnB loses the connection of each query to node b.
type failsOnB struct{}

func (*failsOnB) PerNode() {}

func (*failsOnB) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if call.Op == sp.OpQuery && call.Node.Name == "b" {
			return net.ErrClosed
		}
		return next(ctx, call)
	}
}
