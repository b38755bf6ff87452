package breaker_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// readings keeps what a meter is told, by instrument and attributes.
type readings struct {
	counted map[string]int64
	gauges  map[string]metric.Int64Callback
	fail    string // the instrument that can't be made
}

func newReadings() *readings {
	return &readings{counted: map[string]int64{}, gauges: map[string]metric.Int64Callback{}}
}

func (r *readings) provider() metric.MeterProvider { return provider{r: r} }

type provider struct {
	noop.MeterProvider
	r *readings
}

func (p provider) Meter(string, ...metric.MeterOption) metric.Meter { return meter{r: p.r} }

type meter struct {
	noop.Meter
	r *readings
}

func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if name == m.r.fail {
		return nil, errStrange
	}
	return counter{name: name, r: m.r}, nil
}

func (m meter) Int64ObservableUpDownCounter(name string, opts ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	if name == m.r.fail {
		return nil, errStrange
	}
	for _, f := range metric.NewInt64ObservableUpDownCounterConfig(opts...).Callbacks() {
		m.r.gauges[name] = f
	}
	return noop.Int64ObservableUpDownCounter{}, nil
}

type counter struct {
	noop.Int64Counter
	name string
	r    *readings
}

func (c counter) Add(_ context.Context, n int64, opts ...metric.AddOption) {
	set := metric.NewAddConfig(opts).Attributes()
	c.r.counted[c.name+" "+set.Encoded(attribute.DefaultEncoder())] += n
}

// collect returns what the gauge shows, without zeros.
func (r *readings) collect(t *testing.T, name string) map[string]int64 {
	t.Helper()
	got := observer{seen: map[string]int64{}}
	if err := r.gauges[name](t.Context(), got); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(got.seen, func(_ string, n int64) bool { return n == 0 })
	return got.seen
}

type observer struct {
	noop.Int64Observer
	seen map[string]int64
}

func (o observer) Observe(n int64, opts ...metric.ObserveOption) {
	set := metric.NewObserveConfig(opts).Attributes()
	if _, twice := o.seen[set.Encoded(attribute.DefaultEncoder())]; twice {
		panic("one series was observed twice")
	}
	o.seen[set.Encoded(attribute.DefaultEncoder())] = n
}

const app = "db.namespace=app,db.system.name=postgresql,server.address=db,"

func TestStatesShowAsMetrics(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		seen := newReadings()
		r := newRig(t, breaker.WithMeterProvider(seen.provider()))
		r.open()
		other := *target
		other.User = "a second role"
		r.Disable(&other)
		r.ForceClosed(nil)
		want := map[string]int64{
			app + "sessionproxy.breaker.state=open":                             1,
			app + "sessionproxy.breaker.state=disabled":                         1,
			"db.system.name=other_sql,sessionproxy.breaker.state=forced_closed": 1,
		}
		if got := seen.collect(t, "sessionproxy.breaker.state"); !maps.Equal(got, want) {
			t.Errorf("states are %v, want %v", got, want)
		}
		r.Reset(target)
		r.Reset(&other)
		r.Reset(nil)
		want = map[string]int64{
			app + "sessionproxy.breaker.state=closed":                    2,
			"db.system.name=other_sql,sessionproxy.breaker.state=closed": 1,
		}
		if got := seen.collect(t, "sessionproxy.breaker.state"); !maps.Equal(got, want) {
			t.Errorf("states are %v, want %v", got, want)
		}
	})
}

func TestRefusalsAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		seen := newReadings()
		r := newRig(t, breaker.WithMeterProvider(seen.provider()), breaker.WithProbes(1))
		r.open()
		for range 3 {
			r.refuses()
		}
		time.Sleep(11 * time.Second)
		_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error {
			r.refuses()
			return nil
		}))
		_ = r.Admit(t.Context(), newCall(sp.OpExec, nil))
		want := map[string]int64{
			"sessionproxy.breaker.rejected " + app + "sessionproxy.breaker.state=open":      3,
			"sessionproxy.breaker.rejected " + app + "sessionproxy.breaker.state=half_open": 1,
		}
		if !maps.Equal(seen.counted, want) {
			t.Errorf("counters are %v, want %v", seen.counted, want)
		}
	})
}

func TestAMeterThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sessionproxy.breaker.state", "sessionproxy.breaker.rejected"} {
		seen := newReadings()
		seen.fail = name
		if _, err := breaker.New(breaker.WithMeterProvider(seen.provider())); !errors.Is(err, errStrange) {
			t.Errorf("without %s New returned %v", name, err)
		}
	}
}
