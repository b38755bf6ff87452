package tracing_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

// recorder is a tracer provider that remembers its spans.
type recorder struct {
	embedded.TracerProvider

	unsampled bool // its spans are not recorded
	forget    bool // it keeps no spans, for benchmarks

	mu     sync.Mutex
	scope  string
	config trace.TracerConfig
	spans  []*span
	ids    atomic.Uint64
}

func (r *recorder) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	r.scope, r.config = name, trace.NewTracerConfig(opts...)
	return tracer{r: r}
}

// tracer is a recorder's tracer.
type tracer struct {
	embedded.Tracer
	r *recorder
}

func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	cfg := trace.NewSpanStartConfig(opts...)
	s := &span{r: t.r, name: name, kind: cfg.SpanKind(), start: cfg.Attributes()}
	s.attributes = append(s.attributes, s.start...)
	s.context = t.r.newContext(ctx)
	s.parent = trace.SpanContextFromContext(ctx).SpanID()
	if !t.r.forget {
		t.r.mu.Lock()
		t.r.spans = append(t.r.spans, s)
		t.r.mu.Unlock()
	}
	return trace.ContextWithSpan(ctx, s), s
}

func (r *recorder) newContext(parent context.Context) trace.SpanContext {
	var id trace.SpanID
	binary.BigEndian.PutUint64(id[:], r.ids.Add(1))
	cfg := trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: id}
	if sc := trace.SpanContextFromContext(parent); sc.IsValid() {
		cfg.TraceID = sc.TraceID()
	}
	if !r.unsampled {
		cfg.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(cfg)
}

// all returns the spans in the order of their start.
func (r *recorder) all() []*span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*span(nil), r.spans...)
}

// span is a span that remembers what is done to it.
type span struct {
	embedded.Span
	r       *recorder
	name    string
	kind    trace.SpanKind
	context trace.SpanContext
	parent  trace.SpanID
	start   []attribute.KeyValue // given at the start

	mu          sync.Mutex
	attributes  []attribute.KeyValue
	events      []event
	links       []trace.SpanID
	status      codes.Code
	description string
	ends        int
	late        int // changes after the end
	touched     int // changes to a span that is not recorded
}

type event struct {
	name       string
	attributes []attribute.KeyValue
}

func (s *span) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.r.unsampled:
		s.touched++
	case s.ends > 0:
		s.late++
	default:
		f()
	}
}

func (s *span) End(...trace.SpanEndOption) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends++
}

func (s *span) IsRecording() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.r.unsampled && s.ends == 0
}

func (s *span) SpanContext() trace.SpanContext { return s.context }
func (s *span) SetName(name string)            { s.change(func() { s.name = name }) }
func (s *span) RecordError(err error, _ ...trace.EventOption) {
	s.AddEvent("exception", trace.WithAttributes(attribute.String("exception.message", err.Error())))
}
func (s *span) TracerProvider() trace.TracerProvider { return s.r }

func (s *span) AddEvent(name string, opts ...trace.EventOption) {
	cfg := trace.NewEventConfig(opts...)
	s.change(func() { s.events = append(s.events, event{name, cfg.Attributes()}) })
}

func (s *span) AddLink(l trace.Link) {
	s.change(func() { s.links = append(s.links, l.SpanContext.SpanID()) })
}

func (s *span) SetStatus(code codes.Code, description string) {
	s.change(func() { s.status, s.description = code, description })
}

func (s *span) SetAttributes(kv ...attribute.KeyValue) {
	s.change(func() { s.attributes = append(s.attributes, kv...) })
}

// attr returns the value of an attribute as text, the last one given, or "".
func (s *span) attr(key attribute.Key) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lookup(s.attributes, key)
}

func lookup(attributes []attribute.KeyValue, key attribute.Key) string {
	out := ""
	for _, kv := range attributes {
		if kv.Key == key {
			out = kv.Value.String()
		}
	}
	return out
}

// dump returns everything that the span tells, as text.
func (s *span) dump() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.name + "\n" + s.status.String() + " " + s.description + "\n" + text(s.attributes)
	for _, e := range s.events {
		out += "event " + e.name + "\n" + text(e.attributes)
	}
	return out
}

func text(attributes []attribute.KeyValue) string {
	out := ""
	for _, kv := range attributes {
		out += fmt.Sprintf("%s=%s\n", kv.Key, kv.Value.String())
	}
	return out
}
