package telemetry

import (
	"context"
	"log/slog"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// The names of attributes in log records that the semantic conventions have
// none for. The duration has the name and the unit of the metric that measures
// it.
const (
	DurationKey   = "db.client.operation.duration" // in seconds
	OperationKey  = "sessionproxy.operation"
	SuppressedKey = "sessionproxy.suppressed"
)

const (
	traceKey = "trace_id"
	spanKey  = "span_id"
)

// MaxLogged is how many bytes of a statement's text log records show by
// default.
const MaxLogged = 4096

// LogTarget returns the attributes of [Target] for a log record.
func LogTarget(t *sp.Target) []slog.Attr {
	named := Target(t)
	attrs := make([]slog.Attr, len(named))
	for i, a := range named {
		attrs[i] = slog.Any(string(a.Key), a.Value.AsInterface())
	}
	return attrs
}

// AppendTrace adds the trace and the span that ctx belongs to, under the names
// that OpenTelemetry gives them in logs of other formats.
func AppendTrace(attrs []slog.Attr, ctx context.Context) []slog.Attr {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return attrs
	}
	return append(attrs, slog.String(traceKey, sc.TraceID().String()), slog.String(spanKey, sc.SpanID().String()))
}

// Statements says what log records show of a statement's text. It is safe for
// concurrent use.
type Statements struct {
	text  bool
	limit int // bytes; 0: none
	known [Uses]*sqltext.Cache[statement]
}

// statement is what is logged of one text. What is empty is left out.
type statement struct{ summary, text string }

// NewStatements returns a Statements that shows texts, if text is true, up to
// limit bytes; 0 is no limit.
func NewStatements(text bool, limit int) *Statements {
	s := &Statements{text: text, limit: limit}
	for u := range s.known {
		s.known[u] = sqltext.NewCache[statement](0, 0)
	}
	return s
}

// Append adds what the call's text says. Texts of transaction control say
// nothing but names of savepoints.
func (s *Statements) Append(attrs []slog.Attr, call *sp.Call) []slog.Attr {
	if call.Op.Transactional() {
		return attrs
	}
	st := s.of(DialectOf(call.Target), UseOf(call), call.Text)
	if st.summary != "" {
		attrs = append(attrs, slog.String(string(semconv.DBQuerySummaryKey), st.summary))
	}
	if st.text != "" {
		attrs = append(attrs, slog.String(string(semconv.DBQueryTextKey), st.text))
	}
	return attrs
}

func (s *Statements) of(dialect sqltext.Dialect, use Use, text string) statement {
	if s.limit != 0 {
		text = Cut(text, max(s.limit, MaxRead))
	}
	if st, ok := s.known[use].Get(dialect, text); ok {
		return st
	}
	told := Describe(dialect, use, text)
	st := statement{summary: told.Summary}
	if s.text {
		st.text = Cut(told.Text, s.limit)
	}
	s.known[use].Put(dialect, text, st)
	return st
}
