package middleware

import (
	"log/slog"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// statements says what is logged of a statement's text.
type statements struct {
	text  bool
	limit int // bytes; 0: none
	known [telemetry.Uses]*sqltext.Cache[statement]
}

// statement is what is logged of one text. What is empty is left out.
type statement struct{ summary, text string }

func newStatements(c loggingConfig) *statements {
	s := &statements{text: c.text, limit: c.textLimit}
	for u := range s.known {
		s.known[u] = sqltext.NewCache[statement](0, 0)
	}
	return s
}

// describe adds what the call's text says. Texts of transaction control say
// nothing but names of savepoints.
func (s *statements) describe(attrs []slog.Attr, call *sp.Call) []slog.Attr {
	if call.Op.Transactional() {
		return attrs
	}
	st := s.of(sqltext.DialectOf(systemOf(call.Target)), telemetry.UseOf(call), call.Text)
	if st.summary != "" {
		attrs = append(attrs, slog.String(string(semconv.DBQuerySummaryKey), st.summary))
	}
	if st.text != "" {
		attrs = append(attrs, slog.String(string(semconv.DBQueryTextKey), st.text))
	}
	return attrs
}

func (s *statements) of(dialect sqltext.Dialect, use telemetry.Use, text string) statement {
	if s.limit != 0 {
		text = telemetry.Cut(text, max(s.limit, telemetry.MaxRead))
	}
	if st, ok := s.known[use].Get(dialect, text); ok {
		return st
	}
	told := telemetry.Describe(dialect, use, text)
	st := statement{summary: told.Summary}
	if s.text {
		st.text = telemetry.Cut(told.Text, s.limit)
	}
	s.known[use].Put(dialect, text, st)
	return st
}
