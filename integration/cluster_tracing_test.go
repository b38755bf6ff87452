package integration_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/cluster"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// Each span of a cluster's handle names the server that answered, and the breaker
// has a circuit for each.
func TestSpansOfAClusterNameTheServer(t *testing.T) {
	t.Parallel()
	servers := dbtest.NewCluster(t, 1)
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	brk := must(breaker.New())
	cl := must(cluster.New(pgxdb.Probe(), []cluster.NodeConfig{
		{Name: "a", DSN: servers.Database(0).URL()}, {Name: "b", DSN: servers.Database(1).URL()},
	}))
	t.Cleanup(func() { _ = cl.Close() })
	pool := must(pgxdb.NewCluster(t.Context(), cl, sp.NewChain(must(tracing.New(tracing.WithTracerProvider(provider))), must(retry.New()), brk)))
	t.Cleanup(pool.Close)
	for len(cl.Status()) == 2 && (cl.Status()[1].State != cluster.Up || cl.Primary() == nil) {
		time.Sleep(time.Millisecond)
	}
	ctx, parent := provider.Tracer("test").Start(t.Context(), "request")
	var n int
	if err := pool.QueryRow(sp.WithReadOnly(ctx), "SELECT 1").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := pool.RunInTx(ctx, pgx.TxOptions{}, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT 2")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	parent.End()
	primary, replica, database := int64(servers.Database(0).Port), int64(servers.Database(1).Port), servers.Database(0).Name
	ports := map[string]map[int64]bool{}
	for _, s := range spans.GetSpans() {
		for _, a := range s.Attributes {
			if a.Key == "server.port" {
				if ports[s.Name] == nil {
					ports[s.Name] = map[int64]bool{}
				}
				ports[s.Name][a.Value.AsInt64()] = true
			}
		}
	}
	for name, want := range map[string][]int64{"SELECT": {primary, replica}, "BEGIN " + database: {primary}, "COMMIT " + database: {primary}} {
		if len(ports[name]) != len(want) || !ports[name][want[0]] || !ports[name][want[len(want)-1]] {
			t.Errorf("spans %q have the ports %v, want %v; all: %v", name, ports[name], want, ports)
		}
	}
	circuits := map[int]bool{}
	for s := range brk.States() {
		circuits[s.Target.Port] = true
	}
	if !circuits[int(primary)] || !circuits[int(replica)] {
		t.Errorf("circuits of %v", circuits)
	}
}
