package tracing

import (
	"context"
	"fmt"
	"sync"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
)

// Tracing is an interceptor that makes spans and metrics. Create it with [New].
// It is safe for concurrent use, and may serve any number of chains.
type Tracing struct {
	cfg     config
	tracer  trace.Tracer // nil: no spans
	metrics *instruments // nil: no metrics
	times   *poolTimes   // nil: not recorded
	leaks   *leaks       // nil: open results are not watched
	plan    [256]plan    // by operation
	named   [256]bool    // by operation: spans are named by marks

	observations sync.Pool
}

// plan says how calls of an operation are observed.
type plan uint8

const (
	planNone     plan = iota // not at all
	planClient               // a CLIENT span, and metrics
	planInternal             // an INTERNAL span
)

// New returns an interceptor that makes spans with the global tracer provider
// and no metrics, unless the options say otherwise. It fails if an option is
// wrong or the meter provider refuses an instrument.
func New(opts ...Option) (*Tracing, error) {
	cfg := defaultConfig()
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.apply(&cfg); err != nil {
			return nil, err
		}
	}
	t := &Tracing{cfg: cfg}
	if cfg.tracers != nil {
		t.tracer = cfg.tracers.Tracer(scopeName,
			trace.WithInstrumentationVersion(version()), trace.WithSchemaURL(semconv.SchemaURL))
	}
	if err := t.makeInstruments(); err != nil {
		return nil, err
	}
	if cfg.leakThreshold > 0 {
		var err error
		if t.leaks, err = newLeaks(cfg); err != nil {
			return nil, fmt.Errorf("tracing: creating the instruments: %w", err)
		}
	}
	t.observations.New = t.newObservation
	for op := range t.plan {
		t.plan[op], t.named[op] = cfg.planFor(sp.Op(op)), cfg.takesName(sp.Op(op))
	}
	return t, nil
}

// makeInstruments makes what metrics are recorded with, if they are wanted.
func (t *Tracing) makeInstruments() (err error) {
	if t.cfg.meters == nil {
		if t.cfg.pool != "" {
			return fmt.Errorf("tracing: WithPoolName(%q): metrics are off: want WithMeterProvider too", t.cfg.pool)
		}
		return nil
	}
	if t.metrics, err = newInstruments(t.cfg); err == nil && t.cfg.pool != "" {
		t.times, err = newPoolTimes(t.cfg)
	}
	if err != nil {
		return fmt.Errorf("tracing: creating the instruments: %w", err)
	}
	return nil
}

// planFor decides how calls of op are observed.
func (c *config) planFor(op sp.Op) plan {
	switch {
	case op.String() == sp.OpUnknown.String(), op == sp.OpClose, op.Local(), c.without[op]:
		return planNone
	case op.Session() && !c.sessions:
		return planNone
	case op.Session(), op == sp.OpTransaction:
		return planInternal
	default:
		return planClient
	}
}

// Wrap returns a handler that observes the calls that pass through it. With
// spans and metrics off it is next itself.
func (t *Tracing) Wrap(next sp.Handler) sp.Handler {
	if t.tracer == nil && t.metrics == nil && t.leaks == nil {
		return next
	}
	h := &handler{Tracing: t, next: next}
	if t.times != nil {
		h.next = t.times.wrap(h.next)
	}
	if t.leaks != nil {
		h.next = t.leaks.wrap(h, h.next)
	}
	if t.cfg.spansTransactions() {
		h.transactions = &transactions{open: make(map[trace.TraceID][]*transaction)}
	}
	return h.handle
}

// OnlyObserves declares that tracing does not act on calls; see [sp.Observer].
func (*Tracing) OnlyObserves() {}

// Enabled reports whether calls of op made with ctx can get a span or a
// measurement: see [sp.Enabler].
func (t *Tracing) Enabled(ctx context.Context, op sp.Op) bool {
	plan := t.plan[op]
	if t.leaks != nil && leaksResult(op) {
		return true
	}
	if plan == planNone {
		return false
	}
	if plan == planClient && t.metrics != nil {
		return true
	}
	return t.tracer != nil && (!t.cfg.childOnly || hasParent(ctx))
}

// handler is one place in a chain.
type handler struct {
	*Tracing
	next    sp.Handler
	records records

	transactions *transactions // nil: no spans of them
}

// handle decides what the call gets: a span, a measurement, both or neither.
func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	plan := h.plan[call.Op]
	if plan == planNone {
		return h.next(ctx, call)
	}
	span := h.tracer != nil
	measured := plan == planClient && h.metrics != nil && h.metrics.duration.Enabled(ctx)
	if call.Step() {
		// The call above is the operation; of its steps only those that get
		// it a connection are worth a span.
		span, measured = span && (call.Op == sp.OpConnect || call.Op == sp.OpAcquire), false
	}
	if span && h.cfg.childOnly && !hasParent(ctx) {
		span = false
	}
	if !span && !measured {
		return h.next(ctx, call)
	}
	if h.cfg.filter != nil && !h.cfg.filter(ctx, call) {
		return h.next(ctx, call)
	}
	return h.observe(ctx, call, span, measured)
}

// observe performs the call under observation, which ends in its finish hook.
func (h *handler) observe(ctx context.Context, call *sp.Call, span, measured bool) error {
	r := h.records.of(h.Tracing, call)
	var s trace.Span
	recording := false
	if span {
		var link *transaction
		if h.transactions != nil {
			ctx, link = h.enter(ctx, call)
		}
		ctx, s = h.tracer.Start(ctx, h.spanName(ctx, call, r), r.start...) //nolint:spancheck // ended by the finish hook
		recording = isRecording(s)
		if link != nil {
			s.AddLink(trace.Link{SpanContext: link.span.SpanContext()})
		}
		if !measured && !recording {
			// Nothing is told of the call, so it does not matter when it ends.
			err := h.next(ctx, call)
			s.End()
			return err
		}
	}
	o := h.observations.Get().(*observation)
	o.begin(ctx, call, r, s)
	o.records = &h.records
	if recording {
		o.recording = true
		o.describeStart()
	}
	if measured {
		o.measured = true
		o.startClock()
	}
	if recording {
		call.Watch(o.listen, o.finish)
	} else {
		call.OnFinish(o.finish)
	}
	err := h.next(ctx, call)
	if call.Op.Lasting() {
		// The call lasts until the transaction ends, its BEGIN until now.
		o.end(err)
	}
	return err
}

// isRecording is s.IsRecording of a span that has just started. The SDK takes a
// lock for it; but only its recorded spans tell their times.
func isRecording(s trace.Span) bool {
	if _, ok := s.(timedSpan); ok {
		return true
	}
	return s.IsRecording()
}

// noSpan is what a context without a span has.
var noSpan = trace.SpanFromContext(context.Background())

// hasParent reports whether a span made with ctx would have a recorded parent.
func hasParent(ctx context.Context) bool {
	span := trace.SpanFromContext(ctx)
	if span == noSpan {
		return false
	}
	if span.IsRecording() {
		return true
	}
	parent := span.SpanContext()
	return parent.IsRemote() && parent.IsSampled()
}
