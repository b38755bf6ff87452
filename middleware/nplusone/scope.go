package nplusone

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// scope counts the statements of a request, a job or a unit of work.
type scope struct {
	span trace.Span // the one that it began in

	mu     sync.Mutex
	counts map[string]int // by summary
}

// maxSummaries bounds what a scope counts: a job that runs for days may have any
// number of statements.
const maxSummaries = 256

type scopeKey struct{}

// Scope returns a context whose statements are counted together, from 0. Call it once
// for a request or a job, where its context is made; in a scope inside another one,
// statements count for the inner one alone. It may be used by several goroutines.
func Scope(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{span: trace.SpanFromContext(ctx), counts: map[string]int{}})
}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// count counts a statement, and returns how many there were with its summary.
func (s *scope) count(summary string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, known := s.counts[summary]
	if !known && len(s.counts) >= maxSummaries {
		return 0
	}
	s.counts[summary] = n + 1
	return n + 1
}
