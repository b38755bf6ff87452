package spantree_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionproxy/sessionproxy/examples/internal/spantree"
)

// stage makes spans at times of the test's choosing.
type stage struct {
	spans  *spantree.Collector
	tracer trace.Tracer
}

func newStage() stage {
	spans := spantree.New()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	return stage{spans, provider.Tracer("test")}
}

func at(ms int) trace.SpanEventOption {
	return trace.WithTimestamp(time.Date(2026, 1, 2, 3, 4, 5, ms*int(time.Millisecond), time.UTC))
}

// span makes a span from one time to another, with what happens in it.
func (s stage) span(ctx context.Context, name string, from, to int, inside func(context.Context, trace.Span)) {
	ctx, span := s.tracer.Start(ctx, name, at(from))
	if inside != nil {
		inside(ctx, span)
	}
	span.End(at(to))
}

func (s stage) print(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	if err := s.spans.Print(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSpansPrintAsATree(t *testing.T) {
	t.Parallel()
	s := newStage()
	ctx := t.Context()
	s.span(ctx, "checkout", 0, 24, func(ctx context.Context, _ trace.Span) {
		s.span(ctx, "INSERT orders", 1, 2, nil)
		s.span(ctx, "transaction", 4, 20, func(ctx context.Context, span trace.Span) {
			s.span(ctx, "BEGIN", 4, 5, nil)
			span.AddEvent("retry", at(8), trace.WithAttributes(
				attribute.Int("sessionproxy.attempt", 1), attribute.Float64("sessionproxy.delay", 0.0001234567)))
			s.span(ctx, "UPDATE stock", 6, 8, func(_ context.Context, span trace.Span) {
				span.SetStatus(codes.Error, "lock_timeout (5)")
			})
		})
		s.span(ctx, "SELECT orders", 23, 24, func(_ context.Context, span trace.Span) {
			span.AddEvent("read", at(24))
		})
	})
	s.span(ctx, "ping", 30, 30, nil)
	const want = `
checkout              0.00 ms   24.00 ms  ████████████████████████
├─ INSERT orders      1.00 ms    1.00 ms  ·█······················
├─ transaction        4.00 ms   16.00 ms  ····████████████████····
│  ├─ BEGIN           4.00 ms    1.00 ms  ····█···················
│  ├─ UPDATE stock    6.00 ms    2.00 ms  ······██················  ✗ lock_timeout (5)
│  └─ • retry         8.00 ms  attempt=1 delay=0.000123
└─ SELECT orders     23.00 ms    1.00 ms  ·······················█
   └─ • read         24.00 ms

ping    0.00 ms    0.00 ms  ████████████████████████
`
	if got := "\n" + s.print(t); got != want {
		t.Errorf("printed%s\nwant%s", got, want)
	}
}

func TestASpanWithoutItsParentIsARoot(t *testing.T) {
	t.Parallel()
	s := newStage()
	ctx, open := s.tracer.Start(t.Context(), "never ends", at(0))
	defer open.End()
	s.span(ctx, "child", 1, 2, nil)
	if got := s.print(t); !strings.HasPrefix(got, "child ") {
		t.Errorf("printed %q, want the child alone", got)
	}
}

func TestNothingPrintsNothing(t *testing.T) {
	t.Parallel()
	if got := newStage().print(t); got != "" {
		t.Errorf("printed %q", got)
	}
}

func TestSpansOfManyGoroutines(t *testing.T) {
	t.Parallel()
	s := newStage()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				s.span(t.Context(), "span", i+j, i+j+1, nil)
			}
		})
	}
	wg.Wait()
	spans := s.spans.Spans()
	if len(spans) != 800 {
		t.Fatalf("%d spans, want 800", len(spans))
	}
	for i, span := range spans[1:] {
		if span.StartTime().Before(spans[i].StartTime()) {
			t.Fatalf("span %d began before the one before it", i+1)
		}
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestPrintReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	s := newStage()
	s.span(t.Context(), "span", 0, 1, nil)
	if err := s.spans.Print(brokenPipe{}); !errors.Is(err, errPipe) {
		t.Errorf("Print() = %v, want %v", err, errPipe)
	}
	if s.spans.Shutdown(t.Context()) != nil || s.spans.ForceFlush(t.Context()) != nil {
		t.Error("there is nothing that could fail")
	}
}
