package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/retry"
)

// recorder is a meter provider that keeps sums by instrument and attributes.
type recorder struct {
	noop.MeterProvider
	scope string
	sums  map[string]int64
	read  metric.Int64Callback
	fail  string // the instrument that can't be made
}

func (r *recorder) Meter(name string, _ ...metric.MeterOption) metric.Meter {
	r.scope, r.sums = name, map[string]int64{}
	return meter{recorder: r}
}

type meter struct {
	noop.Meter
	*recorder
}

var errInstrument = errors.New("no such instrument")

func (m meter) Int64Counter(name string, _ ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	if name == m.fail {
		return nil, errInstrument
	}
	return counter{recorder: m.recorder, name: name}, nil
}

func (m meter) Int64ObservableGauge(name string, opts ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	if name == m.fail {
		return nil, errInstrument
	}
	m.read = metric.NewInt64ObservableGaugeConfig(opts...).Callbacks()[0]
	return noop.Int64ObservableGauge{}, nil
}

type counter struct {
	noop.Int64Counter
	*recorder
	name string
}

func (c counter) Add(_ context.Context, n int64, opts ...metric.AddOption) {
	set := metric.NewAddConfig(opts).Attributes()
	c.sums[c.name+" "+set.Encoded(attribute.DefaultEncoder())] += n
}

// observer collects what a callback reports.
type observer struct {
	noop.Int64Observer
	values map[string]int64
}

func (o observer) Observe(n int64, opts ...metric.ObserveOption) {
	set := metric.NewObserveConfig(opts).Attributes()
	o.values[set.Encoded(attribute.DefaultEncoder())] = n
}

func TestRepetitionsAndGivenUpCallsAreCountedByTargetAndClass(t *testing.T) {
	t.Parallel()
	var rec recorder
	r := eager(t, retry.WithMeterProvider(&rec))
	db := &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5433, Namespace: "app", User: "secret"}
	for range 2 {
		_, _ = run(t.Context(), r, always(serialization), at(db, exec))
	}
	_, _ = run(t.Context(), r, &script{steps: fails(errRefused)}, at(nil, onConn(sp.OpConnect)))
	_, _ = run(t.Context(), r, &script{steps: fails()}, at(db, exec))

	const target = "db.namespace=app,db.system.name=postgresql,error.type=serialization,server.address=db,server.port=5433"
	want := map[string]int64{
		"sessionproxy.retry.attempts " + target:                                          4,
		"sessionproxy.retry.exhausted " + target + ",sessionproxy.retry.reason=attempts": 2,
		"sessionproxy.retry.attempts db.system.name=other_sql,error.type=connect":        1,
	}
	if fmt.Sprint(rec.sums) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", rec.sums, want)
	}
	if rec.scope != "github.com/sessionproxy/sessionproxy/retry" {
		t.Errorf("scope %q", rec.scope)
	}
}

func TestWhatIsLeftOfTheBudgetIsObserved(t *testing.T) {
	t.Parallel()
	var rec recorder
	r := eager(t, retry.WithMeterProvider(&rec))
	_, _ = run(t.Context(), r, &script{steps: fails(errRefused)}, at(&sp.Target{System: sp.MySQL, Host: "db"}, exec))
	_, _ = run(t.Context(), r, &script{steps: fails()}, exec)
	seen := observer{values: map[string]int64{}}
	if err := rec.read(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"db.system.name=mysql,server.address=db": 495, "db.system.name=other_sql": 500}
	if fmt.Sprint(seen.values) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", seen.values, want)
	}
}

func TestWithoutABudgetNoneIsObserved(t *testing.T) {
	t.Parallel()
	var rec recorder
	newRetry(t, retry.WithMeterProvider(&rec), retry.WithoutBudget())
	if rec.read != nil {
		t.Error("a budget that is not there is observed")
	}
}

func TestAnInstrumentThatCannotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"attempts", "exhausted", "budget.remaining"} {
		if _, err := retry.New(retry.WithMeterProvider(&recorder{fail: "sessionproxy.retry." + name})); !errors.Is(err, errInstrument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
