package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/XSAM/otelsql"
	"github.com/ngrok/sqlmw"
	nhat "go.nhat.io/otelsql"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// A Subject is one way of opening a database.
type Subject struct {
	// Name is what the table calls it.
	Name string
	// State is that of the tracing provider; empty for subjects without one.
	State State
	// Open opens a database on a connector.
	Open func(c driver.Connector) (*sql.DB, error)
	// Context makes the context of the calls; nil for the background context.
	Context func() (context.Context, context.CancelFunc)
}

// request is the context of a request with a deadline of its own.
func request() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// Subjects returns everything that is compared, raw database/sql first.
func Subjects() []Subject {
	out := []Subject{
		{Name: "raw database/sql", Open: func(c driver.Connector) (*sql.DB, error) { return sql.OpenDB(c), nil }},
		{
			Name: "raw database/sql, with a deadline", Context: request,
			Open: func(c driver.Connector) (*sql.DB, error) { return sql.OpenDB(c), nil },
		},
		{Name: "sqlmw, null interceptor", Open: openSqlmw(sqlmw.NullInterceptor{})},
		{Name: "sessionproxy, empty chain", Open: chainOf()},
		{Name: "sessionproxy, WithoutRootSpans, no parent", Open: func(c driver.Connector) (*sql.DB, error) {
			return openOurs(c, must(tracing.New(tracing.WithTracerProvider(Always.Provider()), tracing.WithoutRootSpans())))
		}},
	}
	for _, state := range States {
		out = append(out, perState(state, state.Provider(), meters)...)
	}
	return out
}

// perState returns the subjects that have a tracing provider, and those with metrics.
func perState(state State, tp trace.TracerProvider, meters func() metric.MeterProvider) []Subject {
	full := func(limit time.Duration, mp metric.MeterProvider) func(c driver.Connector) (*sql.DB, error) {
		return func(c driver.Connector) (*sql.DB, error) { return openOurs(c, fullChain(tp, mp, limit)...) }
	}
	return []Subject{
		{Name: "sqlmw + bare SDK span", State: state, Open: openSqlmw(bareSpan{tracer: tp.Tracer("bench")})},
		{Name: "sessionproxy, tracing", State: state, Open: func(c driver.Connector) (*sql.DB, error) {
			return openOurs(c, must(tracing.New(tracing.WithTracerProvider(tp))))
		}},
		{Name: "sessionproxy, tracing + metrics", State: state, Open: func(c driver.Connector) (*sql.DB, error) {
			return openOurs(c, must(tracing.New(tracing.WithTracerProvider(tp), tracing.WithMeterProvider(meters()))))
		}},
		{Name: "sessionproxy, full chain", State: state, Open: full(time.Hour, nil), Context: request},
		{Name: "sessionproxy, full chain, timer made", State: state, Open: full(time.Second, nil)},
		{Name: "sessionproxy, full chain + metrics", State: state, Open: full(time.Hour, meters()), Context: request},
		{Name: "XSAM/otelsql", State: state, Open: openXSAM(tp, noopmetric.NewMeterProvider())},
		{Name: "XSAM/otelsql + metrics", State: state, Open: openXSAM(tp, meters())},
		{Name: "go.nhat.io/otelsql", State: state, Open: openNhat(tp)},
	}
}

// fullChain is tracing, timeout, retry and breaker, as the README has them.
func fullChain(tp trace.TracerProvider, mp metric.MeterProvider, limit time.Duration) []sp.Interceptor {
	topts := []tracing.Option{tracing.WithTracerProvider(tp)}
	ropts, bopts := []retry.Option{}, []breaker.Option{}
	if mp != nil {
		topts = append(topts, tracing.WithMeterProvider(mp))
		ropts = append(ropts, retry.WithMeterProvider(mp))
		bopts = append(bopts, breaker.WithMeterProvider(mp))
	}
	return []sp.Interceptor{
		must(tracing.New(topts...)),
		must(timeout.New(limit)),
		must(retry.New(ropts...)),
		must(breaker.New(bopts...)),
	}
}

func chainOf(links ...sp.Interceptor) func(c driver.Connector) (*sql.DB, error) {
	return func(c driver.Connector) (*sql.DB, error) { return openOurs(c, links...) }
}

func openOurs(c driver.Connector, links ...sp.Interceptor) (*sql.DB, error) {
	return sqldb.OpenDB(c, sp.NewChain(links...), sqldb.WithTarget(sp.Target{
		System: sp.PostgreSQL, Host: "db.example.com", Port: 5432, Namespace: "shop",
	})), nil
}

// must panics on an error: options of a benchmark are constants.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("bench: %v", err))
	}
	return v
}

// asDriver makes a driver of a connector, for libraries that wrap drivers.
type asDriver struct{ c driver.Connector }

func (d asDriver) Open(string) (driver.Conn, error)               { return d.c.Connect(context.Background()) }
func (d asDriver) OpenConnector(string) (driver.Connector, error) { return d.c, nil }

func openSqlmw(i sqlmw.Interceptor) func(c driver.Connector) (*sql.DB, error) {
	return func(c driver.Connector) (*sql.DB, error) {
		wrapped, err := sqlmw.Driver(asDriver{c}, i).(driver.DriverContext).OpenConnector("")
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(wrapped), nil
	}
}

func openXSAM(tp trace.TracerProvider, mp metric.MeterProvider) func(c driver.Connector) (*sql.DB, error) {
	return func(c driver.Connector) (*sql.DB, error) {
		return otelsql.OpenDB(c, otelsql.WithTracerProvider(tp), otelsql.WithMeterProvider(mp)), nil
	}
}

func openNhat(tp trace.TracerProvider) func(c driver.Connector) (*sql.DB, error) {
	return func(c driver.Connector) (*sql.DB, error) {
		d := nhat.Wrap(asDriver{c}, nhat.WithTracerProvider(tp), nhat.WithMeterProvider(noopmetric.NewMeterProvider()),
			nhat.AllowRoot(), nhat.TraceQueryWithoutArgs())
		wrapped, err := d.(driver.DriverContext).OpenConnector("")
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(wrapped), nil
	}
}
