package nplusone

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// Event reports a statement that is repeated: Attempt is how many there were in the
// scope so far, Detail their summary.
const Event sp.EventKind = "statement.repeated"

// countKey is the attribute with the number of statements.
const countKey = "sessionproxy.repeated"

// New returns an interceptor that counts the statements (exec and query) of each
// [Scope], and reports to logger those that are repeated. Statements outside of scopes
// and units of work are not counted, and cost a look into their context. A counted
// statement costs a lock and a look into a map, and no allocation once its summary
// is known. It reports no arguments and no literals.
func New(logger *slog.Logger, opts ...Option) (sp.Interceptor, error) {
	if logger == nil {
		return nil, errors.New("nplusone: New(nil): want a logger")
	}
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return &counter{config: c, logger: logger}, nil
}

// counter is what New returns.
type counter struct {
	config
	logger *slog.Logger
}

var _ sp.Enabler = (*counter)(nil)

// Enabled reports whether calls of an operation are counted with this context, or
// begin a scope.
func (*counter) Enabled(ctx context.Context, op sp.Op) bool {
	switch op {
	case sp.OpExec, sp.OpQuery:
		return scopeOf(ctx) != nil
	case sp.OpTransaction:
		return scopeOf(ctx) == nil
	}
	return false
}

// OnlyObserves declares what [sp.Observer] says.
func (*counter) OnlyObserves() {}

// Wrap returns a handler that counts the statements that pass through next.
func (c *counter) Wrap(next sp.Handler) sp.Handler {
	h := &handler{counter: c, next: next}
	for use := range h.summaries {
		h.summaries[use] = sqltext.NewCache[string](0, 0)
	}
	return h.handle
}

// handler is a counter around the next handler of one chain.
type handler struct {
	*counter
	next      sp.Handler
	summaries [telemetry.Uses]*sqltext.Cache[string]
}

func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	if !h.Enabled(ctx, call.Op) || call.Step() {
		return h.next(ctx, call)
	}
	if call.Op == sp.OpTransaction {
		return h.next(Scope(ctx), call)
	}
	if call.Attempt() == 1 { // of a statement that is retried the first one counts
		if n := scopeOf(ctx).count(h.summary(call)); n == h.threshold {
			h.report(ctx, call, n)
		}
	}
	return h.next(ctx, call)
}

func (h *handler) summary(call *sp.Call) string {
	use, d := telemetry.UseOf(call), telemetry.DialectOf(call.Target)
	summary, ok := h.summaries[use].Get(d, call.Text)
	if !ok {
		summary = telemetry.Describe(d, use, call.Text).Summary
		h.summaries[use].Put(d, call.Text, summary)
	}
	return summary
}

// report reports a statement that was repeated n times.
func (h *handler) report(ctx context.Context, call *sp.Call, n int) {
	summary := h.summary(call)
	call.Event(sp.Event{Kind: Event, Attempt: n, Detail: summary})
	if span := scopeOf(ctx).span; span.IsRecording() {
		span.AddEvent(string(Event), trace.WithAttributes(semconv.DBQuerySummary(summary), attribute.Int(countKey, n)))
	}
	if !h.logger.Enabled(ctx, slog.LevelWarn) {
		return
	}
	attrs := append(telemetry.LogTarget(call.Target),
		slog.String("event.name", string(Event)), slog.String(string(semconv.DBQuerySummaryKey), summary), slog.Int(countKey, n))
	if at, ok := telemetry.Caller(); ok {
		attrs = append(attrs, slog.String(string(semconv.CodeFunctionNameKey), at.Function),
			slog.String(string(semconv.CodeFilePathKey), at.File), slog.Int(string(semconv.CodeLineNumberKey), at.Line))
	}
	h.logger.LogAttrs(ctx, slog.LevelWarn, "statement repeated in a loop", telemetry.AppendTrace(attrs, ctx)...)
}
