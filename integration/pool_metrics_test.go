package integration_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// poolSums returns the sums of the metrics of the pool named orders, by the
// metric's name and the connection's state.
func poolSums(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			for _, p := range sum.DataPoints {
				if name, _ := p.Attributes.Value("db.client.connection.pool.name"); name.AsString() != "orders" {
					t.Errorf("%s: the pool is called %q", m.Name, name.AsString())
				}
				state, _ := p.Attributes.Value("db.client.connection.state")
				out[m.Name+" "+state.AsString()] = p.Value
			}
		}
	}
	return out
}

func TestThePoolOfDatabaseSQLIsWatched(t *testing.T) {
	t.Parallel()
	db := must(sqldb.Open("sqlite", filepath.Join(t.TempDir(), "shop.db"), sp.NewChain()))
	defer db.Close()
	db.SetMaxOpenConns(3)
	reader := sdkmetric.NewManualReader()
	stop := must(tracing.WatchPool(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), "orders",
		func() sp.PoolStats { return sqldb.PoolStats(db) }))

	used, idle := must(db.Conn(t.Context())), must(db.Conn(t.Context()))
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{
		"db.client.connection.count idle": 1,
		"db.client.connection.count used": 1,
		"db.client.connection.max ":       3,
	}
	if got := poolSums(t, reader); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := used.Close(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := poolSums(t, reader); len(got) != 0 {
		t.Errorf("after the watch was stopped: %v", got)
	}
}

func TestThePoolOfPGXIsWatched(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	tr := must(tracing.New(tracing.WithMeterProvider(provider), tracing.WithPoolName("orders")))
	pool := must(pgxdb.NewPool(t.Context(), dbtest.Postgres(t).Database(t).URL("pool_max_conns=2"), sp.NewChain(tr), pgxdb.WithAcquireCalls()))
	defer pool.Close()
	stop := must(tracing.WatchPool(provider, "orders", pool.PoolStats))
	defer stop()

	first, second := must(pool.Acquire(t.Context())), must(pool.Acquire(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := pool.Exec(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	first.Release()
	want := map[string]int64{
		"db.client.connection.count idle": 1,
		"db.client.connection.count used": 1,
		"db.client.connection.max ":       2,
		"db.client.connection.timeouts ":  1,
	}
	if got := poolSums(t, reader); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := pool.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	second.Release()
	times := map[string]uint64{
		"db.client.connection.create_time": 2, "db.client.connection.wait_time": 3, "db.client.connection.use_time": 3,
	}
	if got := poolTimes(t, reader); !maps.Equal(got, times) {
		t.Errorf("got %v, want %v", got, times)
	}
}

// poolTimes returns how often each time of a pool was recorded.
func poolTimes(t *testing.T, reader *sdkmetric.ManualReader) map[string]uint64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			h, ok := m.Data.(metricdata.Histogram[float64])
			if !ok || !strings.HasPrefix(m.Name, "db.client.connection.") {
				continue
			}
			for _, p := range h.DataPoints {
				out[m.Name] += p.Count
			}
		}
	}
	return out
}
