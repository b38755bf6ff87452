package spantree

import (
	"cmp"
	"context"
	"slices"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Collector keeps finished spans until they are printed. It is a span
// processor of the OpenTelemetry SDK, safe for concurrent use. It keeps every
// span in memory and is meant for programs of short life.
type Collector struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
}

var _ sdktrace.SpanProcessor = (*Collector)(nil)

// New returns an empty collector.
func New() *Collector { return new(Collector) }

// OnStart does nothing: a span is kept when it has ended.
func (c *Collector) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd keeps the span.
func (c *Collector) OnEnd(s sdktrace.ReadOnlySpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, s)
}

// Shutdown does nothing and returns nil.
func (c *Collector) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing and returns nil.
func (c *Collector) ForceFlush(context.Context) error { return nil }

// Spans returns the spans that have ended so far, in the order of their
// beginning.
func (c *Collector) Spans() []sdktrace.ReadOnlySpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := slices.Clone(c.spans)
	slices.SortStableFunc(spans, func(a, b sdktrace.ReadOnlySpan) int {
		return cmp.Compare(a.StartTime().UnixNano(), b.StartTime().UnixNano())
	})
	return spans
}

// node is a span and the spans under it.
type node struct {
	span     sdktrace.ReadOnlySpan
	children []*node
}

// roots returns the trees of spans, each level in the order of beginning. A
// span whose parent has not ended, or was not collected, is a root.
func (c *Collector) roots() []*node {
	spans := c.Spans()
	nodes := make(map[trace.SpanID]*node, len(spans))
	for _, s := range spans {
		nodes[s.SpanContext().SpanID()] = &node{span: s}
	}
	var roots []*node
	for _, s := range spans {
		n := nodes[s.SpanContext().SpanID()]
		if parent := nodes[s.Parent().SpanID()]; parent != nil {
			parent.children = append(parent.children, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}
