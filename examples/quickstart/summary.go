package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionproxy/sessionproxy"
)

// summary says in a few lines what the spans and the breaker's changes tell.
func (s *shop) summary(spans []sdktrace.ReadOnlySpan) string {
	operations, failed, retries := 0, map[string]int{}, 0
	for _, span := range spans {
		if span.SpanKind() == trace.SpanKindClient {
			operations++
			if span.Status().Code == codes.Error {
				failed[span.Status().Description]++
			}
		}
		for _, e := range span.Events() {
			if e.Name == string(sessionproxy.EventRetry) {
				retries++
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "database operations  %d, failed: %s\n", operations, counts(failed))
	fmt.Fprintf(&b, "replays              %d; two sellers sold a lamp each, and %d are gone\n", retries, s.sold)
	fmt.Fprintf(&b, "breaker              %s\n", s.history())
	fmt.Fprintf(&b, "refusals             %d, in %s on average\n", s.refused, s.refusing/time.Duration(max(s.refused, 1)))
	return b.String()
}

// counts returns "what n" for each entry, in alphabetical order.
func counts(m map[string]int) string {
	out := make([]string, 0, len(m))
	for _, what := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s ×%d", what, m[what]))
	}
	return strings.Join(out, ", ")
}

// history returns the states of the breaker, and how long each lasted.
func (s *shop) history() string {
	text := ""
	for i, c := range s.changes {
		if i == 0 {
			text = c.From.String()
		} else {
			text += fmt.Sprintf(" for %s", c.At.Sub(s.changes[i-1].At).Round(time.Microsecond))
		}
		text += " → " + c.To.String()
	}
	return text
}
