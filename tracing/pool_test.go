package tracing_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/tracing"
)

const poolName = attribute.Key("db.client.connection.pool.name")

// poolTimes returns how often each time of the pool was recorded.
func poolTimes(t *testing.T, m *meter) (create, wait, use int) {
	t.Helper()
	for _, v := range m.all("db.client.connection.create_time") {
		if name, _ := v.attributes.Value(poolName); name.AsString() != "orders" {
			t.Errorf("the pool's name is %q", name.AsString())
		}
	}
	count := func(name string) int { return len(m.all("db.client.connection." + name)) }
	return count("create_time"), count("wait_time"), count("use_time")
}

func TestTheTimesOfAPoolAreRecorded(t *testing.T) {
	t.Parallel()
	m := &meter{}
	tr := newTracing(t, &recorder{}, tracing.WithMeterProvider(m), tracing.WithPoolName("orders"))
	if _, err := run(t.Context(), call(sp.OpConnect, ""), tr); err != nil {
		t.Fatal(err)
	}
	taken := doing(call(sp.OpAcquire, ""), func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	})
	if open, err := run(t.Context(), taken, tr); !open || err != nil {
		t.Fatal(open, err)
	}
	if create, wait, use := poolTimes(t, m); create != 1 || wait != 1 || use != 0 {
		t.Errorf("while the connection is in use: created %d, waited %d, used %d times", create, wait, use)
	}
	attach.Finish(taken, nil)
	if create, wait, use := poolTimes(t, m); create != 1 || wait != 1 || use != 1 {
		t.Errorf("after it: created %d, waited %d, used %d times", create, wait, use)
	}
}

func TestAConnectionThatWasNotHadHasNoTimes(t *testing.T) {
	t.Parallel()
	m := &meter{}
	tr := newTracing(t, &recorder{}, tracing.WithMeterProvider(m), tracing.WithPoolName("orders"))
	for _, op := range []sp.Op{sp.OpConnect, sp.OpAcquire} {
		failing := doing(call(op, ""), func(context.Context, *sp.Call) error { return context.DeadlineExceeded })
		if _, err := run(t.Context(), failing, tr); err == nil {
			t.Fatal("no error")
		}
	}
	if create, wait, use := poolTimes(t, m); create+wait+use != 0 {
		t.Errorf("created %d, waited %d, used %d times", create, wait, use)
	}
}

func TestPoolNameNeedsMetrics(t *testing.T) {
	t.Parallel()
	if _, err := tracing.New(tracing.WithPoolName("orders")); err == nil || !strings.Contains(err.Error(), "WithMeterProvider") {
		t.Errorf("got %v", err)
	}
	if _, err := tracing.New(tracing.WithPoolName("")); err == nil || !strings.Contains(err.Error(), "WithPoolName") {
		t.Errorf("got %v", err)
	}
	refusing := &meter{fail: "db.client.connection.wait_time"}
	if _, err := tracing.New(tracing.WithMeterProvider(refusing), tracing.WithPoolName("orders")); err == nil {
		t.Error("the meter provider refused an instrument, and nobody says so")
	}
}

// refusing is a meter that makes no observable counter.
type refusing struct{ noop.MeterProvider }

func (refusing) Meter(string, ...metric.MeterOption) metric.Meter { return refusingMeter{} }

type refusingMeter struct{ noop.Meter }

func (refusingMeter) Int64ObservableCounter(string, ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	return nil, context.Canceled
}

func TestWatchPoolSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	stats := func() sp.PoolStats { return sp.PoolStats{} }
	for want, watch := range map[string]func() (func() error, error){
		"meter provider": func() (func() error, error) { return tracing.WatchPool(nil, "orders", stats) },
		"name":           func() (func() error, error) { return tracing.WatchPool(noop.MeterProvider{}, "", stats) },
		"function":       func() (func() error, error) { return tracing.WatchPool(noop.MeterProvider{}, "orders", nil) },
		"instruments":    func() (func() error, error) { return tracing.WatchPool(refusing{}, "orders", stats) },
	} {
		if stop, err := watch(); err == nil || stop != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error that names the %s, got %v", want, err)
		}
	}
}
