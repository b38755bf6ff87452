package profile

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
	"sync/atomic"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// The labels of profiles.
const (
	// OperationLabel has the operation: "exec", "query", "COMMIT".
	OperationLabel = "db.operation"
	// SummaryLabel has the summary of the SQL text: "SELECT orders". Operations
	// without a text have no such label.
	SummaryLabel = "db.summary"
)

// New returns an interceptor that labels the goroutine that performs a call, and makes
// it a region of the execution trace if one is being recorded.
//
// The labels are those of package runtime/pprof: [OperationLabel], [SummaryLabel], and
// those that the call's context has from [pprof.Do]. When the call returns, the
// goroutine has the labels of the call's context again, as at the end of pprof.Do; so
// pass the context of a pprof.Do on to the calls inside it. Rows that are read after
// a query has returned are no longer labelled.
//
// It has to be around the work itself: a tracer of pgx (pgxdb.NewTracer) refuses it, as
// it does links that act on calls.
//
// Units of work and methods of sessions are not labelled, but the statements in them
// are; steps of a call, such as opening a connection for it, are the call's. A
// labelled call costs some tens of nanoseconds and no allocation, unless its context
// has labels of its own or the SQL text is new. Neither labels nor regions show
// arguments or literals.
func New(opts ...Option) (sp.Interceptor, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return &profiler{config: c}, nil
}

// profiler is what New returns.
type profiler struct{ config }

var _ sp.Enabler = (*profiler)(nil)

// Enabled reports whether calls of an operation are labelled with this context.
func (p *profiler) Enabled(ctx context.Context, op sp.Op) bool {
	return labelled(op) && (p.when == nil || p.when(ctx))
}

// labelled reports whether calls of an operation are work themselves: those of units of
// work and of sessions consist of other calls.
func labelled(op sp.Op) bool { return int(op) < operations }

// Wrap returns a handler that labels the calls that pass through next.
func (p *profiler) Wrap(next sp.Handler) sp.Handler {
	h := &handler{profiler: p, next: next}
	for use := range h.texts {
		h.texts[use] = sqltext.NewCache[*statement](0, 0)
	}
	for op := range h.ops {
		h.ops[op] = labelsOf(sp.Op(op), "")
	}
	return h.handle
}

// handler is a profiler around the next handler of one chain.
type handler struct {
	*profiler
	next  sp.Handler
	ops   [operations]*labels // of operations without a text
	texts [telemetry.Uses]*sqltext.Cache[*statement]
}

// operations is a number above every operation that is labelled.
const operations = int(sp.OpTransaction)

// statement is a text, whose summary is found out once.
type statement struct {
	summary string
	ops     [operations]atomic.Pointer[labels]
}

func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	if call.Step() || !h.Enabled(ctx, call.Op) {
		return h.next(ctx, call)
	}
	return h.of(call).perform(ctx, call, h.next)
}

// of returns the labels of a call.
func (h *handler) of(call *sp.Call) *labels {
	if call.Text == "" || call.Op.Transactional() {
		return h.ops[call.Op]
	}
	use, d := telemetry.UseOf(call), telemetry.DialectOf(call.Target)
	st, ok := h.texts[use].Get(d, call.Text)
	if !ok {
		st = &statement{summary: telemetry.Describe(d, use, call.Text).Summary}
		h.texts[use].Put(d, call.Text, st)
	}
	l := st.ops[call.Op].Load()
	if l == nil {
		l = labelsOf(call.Op, st.summary)
		st.ops[call.Op].Store(l)
	}
	return l
}

// labels are those of a statement, made once.
type labels struct {
	region string
	set    pprof.LabelSet
	alone  context.Context //nolint:containedctx // the labels in the form in which a goroutine takes them
}

func labelsOf(op sp.Op, summary string) *labels {
	l := &labels{region: summary}
	if summary == "" {
		l.region = op.String()
		l.set = pprof.Labels(OperationLabel, op.String())
	} else {
		l.set = pprof.Labels(OperationLabel, op.String(), SummaryLabel, summary)
	}
	l.alone = pprof.WithLabels(context.Background(), l.set)
	return l
}

// perform performs a call with the labels.
func (l *labels) perform(ctx context.Context, call *sp.Call, next sp.Handler) error {
	with := l.alone
	if hasLabels(ctx) {
		with = pprof.WithLabels(ctx, l.set)
	}
	pprof.SetGoroutineLabels(with)
	defer pprof.SetGoroutineLabels(ctx)
	if trace.IsEnabled() {
		defer trace.StartRegion(ctx, l.region).End()
	}
	return next(ctx, call)
}

// hasLabels reports whether a context has labels of profiles.
func hasLabels(ctx context.Context) (has bool) {
	pprof.ForLabels(ctx, func(string, string) bool {
		has = true
		return false
	})
	return has
}
