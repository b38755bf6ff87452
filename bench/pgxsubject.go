package bench

import (
	"context"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/driver/pgxdb"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// PGX is what every subject on pgx has.
type PGX interface {
	// Exec is that of [pgxpool.Pool].
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	// Query is that of [pgxpool.Pool].
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	// QueryRow is that of [pgxpool.Pool].
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	// SendBatch is that of [pgxpool.Pool].
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	// CopyFrom is that of [pgxpool.Pool].
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	// Close is that of [pgxpool.Pool].
	Close()
}

// A PGXSubject is one way of opening a pool.
type PGXSubject struct {
	// Name is what the table calls it.
	Name string
	// State is that of the tracing provider; empty for subjects without one.
	State State
	// Open opens a pool.
	Open func(ctx context.Context, c *pgxpool.Config) (PGX, error)
	// Context makes the context of the calls.
	Context func() (context.Context, context.CancelFunc)
}

// PGXSubjects returns everything that is compared on pgx, raw pgx first.
func PGXSubjects() []PGXSubject {
	always := Always.Provider()
	out := []PGXSubject{
		{Name: "raw pgx", Open: openPGX(nil), Context: plain},
		{Name: "raw pgx, with a deadline", Open: openPGX(nil), Context: request},
		{Name: "sessionproxy, empty chain", Open: wrapPGX(), Context: plain},
		{
			Name: "sessionproxy, WithoutRootSpans, no parent", Context: plain,
			Open: wrapPGX(must(tracing.New(tracing.WithTracerProvider(always), tracing.WithoutRootSpans()))),
		},
		{
			Name: "sessionproxy, tracer on pgx's pool, no parent", Context: plain,
			Open: openPGX(pgxTracer(must(tracing.New(tracing.WithTracerProvider(always), tracing.WithoutRootSpans())))),
		},
		{Name: "otelpgx, no parent", Open: openPGX(otelpgxTracer(always)), Context: plain},
	}
	for _, state := range States {
		tp := state.Provider()
		within := under(tp, plain)
		out = append(out,
			PGXSubject{"sessionproxy, tracing", state, wrapPGX(must(tracing.New(tracing.WithTracerProvider(tp)))), within},
			PGXSubject{"sessionproxy, WithoutRootSpans", state, wrapPGX(must(tracing.New(tracing.WithTracerProvider(tp), tracing.WithoutRootSpans()))), within},
			PGXSubject{"sessionproxy, full chain", state, wrapPGX(fullChain(tp, nil, time.Hour)...), under(tp, request)},
			PGXSubject{"sessionproxy, tracer on pgx's pool", state, openPGX(pgxTracer(must(tracing.New(tracing.WithTracerProvider(tp), tracing.WithoutRootSpans())))), within},
			PGXSubject{"otelpgx", state, openPGX(otelpgxTracer(tp)), within},
			PGXSubject{"otelpgx, no acquire spans", state, openPGX(otelpgxTracer(tp, otelpgx.WithDisableAcquireTracer())), within},
		)
	}
	return out
}

// plain is the context of a call that nobody limits.
func plain() (context.Context, context.CancelFunc) { return context.Background(), func() {} }

// under makes contexts with a span above them, as within a request that is
// traced: otelpgx makes no spans without one.
func under(tp trace.TracerProvider, outer func() (context.Context, context.CancelFunc)) func() (context.Context, context.CancelFunc) {
	return func() (context.Context, context.CancelFunc) {
		ctx, cancel := outer()
		ctx, span := tp.Tracer("bench").Start(ctx, "GET /items")
		return ctx, func() {
			span.End()
			cancel()
		}
	}
}

// wrapPGX opens a pool behind a chain.
func wrapPGX(links ...sp.Interceptor) func(ctx context.Context, c *pgxpool.Config) (PGX, error) {
	return func(ctx context.Context, c *pgxpool.Config) (PGX, error) {
		return pgxdb.NewPoolWithConfig(ctx, c, sp.NewChain(links...))
	}
}

// openPGX opens a pool of pgx itself, with a tracer or without one.
func openPGX(tracer pgx.QueryTracer) func(ctx context.Context, c *pgxpool.Config) (PGX, error) {
	return func(ctx context.Context, c *pgxpool.Config) (PGX, error) {
		c.ConnConfig.Tracer = tracer
		return pgxpool.NewWithConfig(ctx, c)
	}
}

// pgxTracer makes a tracer of this library's links.
func pgxTracer(links ...sp.Interceptor) pgx.QueryTracer {
	return must(pgxdb.NewTracer(sp.NewChain(links...)))
}

func otelpgxTracer(tp trace.TracerProvider, opts ...otelpgx.Option) pgx.QueryTracer {
	return otelpgx.NewTracer(append(opts, otelpgx.WithTracerProvider(tp), otelpgx.WithMeterProvider(noopmetric.NewMeterProvider()))...)
}
