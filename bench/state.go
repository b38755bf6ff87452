package bench

import (
	"context"
	"database/sql/driver"

	"github.com/ngrok/sqlmw"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// State is what a tracing provider does with spans.
type State string

// The states that are compared.
const (
	// Noop is the API's provider that does nothing.
	Noop State = "no-op"
	// Never is the SDK's provider with a sampler that takes no span.
	Never State = "unsampled"
	// Always is the SDK's provider that records every span and throws it away.
	Always State = "sampled"
)

// States are all states.
var States = []State{Noop, Never, Always}

// Provider returns a provider in the state.
func (s State) Provider() trace.TracerProvider {
	switch s {
	case Never:
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithSpanProcessor(discard{}))
	case Always:
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(discard{}))
	default:
		return noop.NewTracerProvider()
	}
}

// discard is a span processor that does nothing.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

// bareSpan is the least that tracing can cost: one span with attributes made
// beforehand around each statement, BEGIN, COMMIT and ROLLBACK, ended when the
// driver returns.
type bareSpan struct {
	sqlmw.NullInterceptor
	tracer trace.Tracer
}

var bareOptions = []trace.SpanStartOption{
	trace.WithSpanKind(trace.SpanKindClient),
	trace.WithAttributes(
		attribute.String("db.system.name", "postgresql"), attribute.String("db.namespace", "shop"),
		attribute.String("db.query.text", statement), attribute.String("db.query.summary", "INSERT t"),
		attribute.String("server.address", "db.example.com"),
	),
}

func (b bareSpan) start(ctx context.Context) (context.Context, trace.Span) {
	return b.tracer.Start(ctx, "INSERT t", bareOptions...) //nolint:spancheck // ended by the caller
}

func (b bareSpan) ConnExecContext(ctx context.Context, c driver.ExecerContext, query string, args []driver.NamedValue) (driver.Result, error) {
	ctx, span := b.start(ctx)
	defer span.End()
	return c.ExecContext(ctx, query, args)
}

func (b bareSpan) ConnQueryContext(ctx context.Context, c driver.QueryerContext, query string, args []driver.NamedValue) (context.Context, driver.Rows, error) {
	ctx, span := b.start(ctx)
	defer span.End()
	rows, err := c.QueryContext(ctx, query, args)
	return ctx, rows, err
}

func (b bareSpan) StmtExecContext(ctx context.Context, s driver.StmtExecContext, _ string, args []driver.NamedValue) (driver.Result, error) {
	ctx, span := b.start(ctx)
	defer span.End()
	return s.ExecContext(ctx, args)
}

func (b bareSpan) StmtQueryContext(ctx context.Context, s driver.StmtQueryContext, _ string, args []driver.NamedValue) (context.Context, driver.Rows, error) {
	ctx, span := b.start(ctx)
	defer span.End()
	rows, err := s.QueryContext(ctx, args)
	return ctx, rows, err
}

// ConnBeginTx returns the context without the span: what follows in the
// transaction is not a part of its BEGIN.
func (b bareSpan) ConnBeginTx(ctx context.Context, c driver.ConnBeginTx, opts driver.TxOptions) (context.Context, driver.Tx, error) {
	within, span := b.start(ctx)
	defer span.End()
	tx, err := c.BeginTx(within, opts)
	return ctx, tx, err
}

func (b bareSpan) TxCommit(ctx context.Context, tx driver.Tx) error {
	_, span := b.start(ctx)
	defer span.End()
	return tx.Commit()
}

func (b bareSpan) TxRollback(ctx context.Context, tx driver.Tx) error {
	_, span := b.start(ctx)
	defer span.End()
	return tx.Rollback()
}
