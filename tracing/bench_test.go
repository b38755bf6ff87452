package tracing_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// cheap is a provider whose spans cost as little as spans can: what remains
// is the cost of this package.
type cheap struct {
	embedded.TracerProvider
	recording bool
}

type cheapTracer struct {
	embedded.Tracer
	span trace.Span
}

type cheapSpan struct {
	trace.Span
	recording bool
}

func (p cheap) Tracer(string, ...trace.TracerOption) trace.Tracer {
	none := trace.SpanFromContext(context.Background())
	return cheapTracer{span: cheapSpan{Span: none, recording: p.recording}}
}

func (t cheapTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, t.span
}

func (s cheapSpan) IsRecording() bool { return s.recording }

// cheapMeter is a meter provider whose histograms are enabled and do nothing.
type cheapMeter struct{ metricnoop.MeterProvider }

type cheapInstruments struct{ metricnoop.Meter }

type cheapHistogram struct{ metricnoop.Float64Histogram }

func (cheapMeter) Meter(string, ...metric.MeterOption) metric.Meter { return cheapInstruments{} }

func (cheapInstruments) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return cheapHistogram{}, nil
}

func (cheapHistogram) Enabled(context.Context) bool { return true }

const statement = "SELECT id, name, email FROM customers WHERE id = $1 AND active"

// states are the states that a service can be in, with the allocations that
// this package may make for a call.
var states = []struct {
	name   string
	opts   []tracing.Option
	allocs float64
}{
	{"no parent", []tracing.Option{tracing.WithTracerProvider(cheap{}), tracing.WithoutRootSpans()}, 0},
	{"unsampled", []tracing.Option{tracing.WithTracerProvider(cheap{})}, 0},
	{"unsampled, metrics", []tracing.Option{tracing.WithTracerProvider(cheap{}), tracing.WithMeterProvider(cheapMeter{})}, 0},
	{"metrics only", []tracing.Option{tracing.WithoutSpans(), tracing.WithMeterProvider(cheapMeter{})}, 0},
	{"configured attributes", []tracing.Option{
		tracing.WithTracerProvider(cheap{}), tracing.WithMeterProvider(cheapMeter{}),
		tracing.WithAttributes(attribute.String("peer.service", "orders")),
	}, 0},
	{"sampled", []tracing.Option{tracing.WithTracerProvider(cheap{recording: true})}, 0},
	{"sampled, metrics", []tracing.Option{tracing.WithTracerProvider(cheap{recording: true}), tracing.WithMeterProvider(cheapMeter{})}, 0},
}

// repeated returns a function that runs one and the same call again.
func repeated(tb testing.TB, opts ...tracing.Option) func() {
	tb.Helper()
	h := sp.Handler(attach.Perform)
	if opts != nil {
		tr, err := tracing.New(opts...)
		if err != nil {
			tb.Fatal(err)
		}
		h = tr.Wrap(h)
	}
	ctx, c, op := tb.Context(), new(sp.Call), &operation{}
	return func() {
		attach.Reset(c, op)
		c.Op, c.Text, c.Target = sp.OpExec, statement, orders
		if _, err := attach.Run(ctx, c, h); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestObservingAllocatesNothing(t *testing.T) {
	for _, s := range states {
		if got := alloctest.PerRun(1000, repeated(t, s.opts...)); got > s.allocs+alloctest.Lost {
			t.Errorf("%s: %v allocations, want at most %v", s.name, got, s.allocs)
		}
	}
}

func BenchmarkExec(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		f := repeated(b)
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
	for _, s := range states {
		b.Run(s.name, func(b *testing.B) {
			f := repeated(b, s.opts...)
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// openStates are the states of a service whose results are watched, with the
// allocations that this package may make for a query and a transaction.
var openStates = []struct {
	name   string
	op     sp.Op
	opts   []tracing.Option
	allocs float64
}{
	{"query", sp.OpQuery, nil, 0},
	{"query, leak detection", sp.OpQuery, []tracing.Option{tracing.WithLeakDetection(time.Hour, slog.New(slog.DiscardHandler))}, 0},
	{"transaction", sp.OpBegin, nil, 0},
	{"transaction, with a span", sp.OpBegin, []tracing.Option{tracing.WithTransactionSpans()}, 4},
}

// kept is an operation whose result stays open.
type kept struct{}

func (kept) Do(_ context.Context, call *sp.Call) error {
	attach.KeepOpen(call)
	return nil
}

// repeatedOpen returns a function that runs a call of op, and closes what it
// has opened.
func repeatedOpen(tb testing.TB, op sp.Op, opts ...tracing.Option) func() {
	tb.Helper()
	tr, err := tracing.New(append([]tracing.Option{tracing.WithTracerProvider(cheap{recording: true})}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, c, h := tb.Context(), new(sp.Call), tr.Wrap(attach.Perform)
	return func() {
		attach.Reset(c, kept{})
		c.Op, c.Target = op, orders
		if op == sp.OpQuery {
			c.Text = statement
		}
		if open, err := attach.Run(ctx, c, h); !open || err != nil {
			tb.Fatal(open, err)
		}
		attach.Finish(c, nil)
	}
}

func TestWatchingResultsAllocatesNothing(t *testing.T) {
	for _, s := range openStates {
		if got := alloctest.PerRun(1000, repeatedOpen(t, s.op, s.opts...)); got > s.allocs+alloctest.Lost {
			t.Errorf("%s: %v allocations, want at most %v", s.name, got, s.allocs)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, s := range openStates {
		b.Run(s.name, func(b *testing.B) {
			f := repeatedOpen(b, s.op, s.opts...)
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
