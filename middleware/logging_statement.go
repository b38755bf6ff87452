package middleware

import (
	"log/slog"
	"unicode/utf8"

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

// maxRead is how many bytes of a text are read to describe it, if no more are
// to be logged: reading a bulk insert of megabytes costs more than it tells. A
// literal that is cut in two counts as a literal.
const maxRead = 32 << 10

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
		text = cut(text, max(s.limit, maxRead))
	}
	if st, ok := s.known[use].Get(dialect, text); ok {
		return st
	}
	summary, told := telemetry.Describe(dialect, use, text)
	st := statement{summary: summary}
	if s.text {
		st.text = cut(told, s.limit)
	}
	s.known[use].Put(dialect, text, st)
	return st
}

// cut shortens text to at most limit bytes, at the end of a character; 0 is no
// limit.
func cut(text string, limit int) string {
	if limit == 0 || len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
