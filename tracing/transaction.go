package tracing

import (
	"context"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
)

// WithTransactionSpans makes an INTERNAL span for each transaction that its
// caller begins and ends itself, from BEGIN until it has ended, like the one
// that a unit of work always has. It is called "transaction", or as
// [sp.WithCallName] says at BEGIN, and has no measurement of its own. The
// default is to make none. A call of BEGIN that is not observed makes none
// either, nor does [WithoutOperations] of [sp.OpTransaction].
//
// Only its context shows which transaction a statement belongs to. If the
// context holds the same span as at BEGIN, the statement becomes a child of the
// transaction. If it holds another span of the same trace, the statement keeps
// that as its parent and gets a link to the transaction. If several
// transactions of the handle match, there is neither, nor is there for a
// statement of another trace. The statements of a session are children of its
// methods; the transaction that a method begins is a sibling of the methods,
// and statements link to it.
func WithTransactionSpans() Option {
	return optionFunc(func(c *config) error {
		c.transactions = true
		return nil
	})
}

// spansTransactions reports whether transactions begun by hand have spans. They
// are the same operation as units of work.
func (c *config) spansTransactions() bool { return c.transactions && !c.without[sp.OpTransaction] }

// transactions are the open transactions of a handle, by trace.
type transactions struct {
	mu   sync.Mutex
	open map[trace.TraceID][]*transaction
}

// transaction is an open transaction that has a span.
type transaction struct {
	span  trace.Span
	trace trace.TraceID
	under trace.SpanID // the span that was in the context of BEGIN
}

// enter returns the context for a call's span: that of its transaction if the
// call begins one or if its context leads to one. Otherwise link is the
// transaction that the span is to be linked with, or nil.
func (h *handler) enter(ctx context.Context, call *sp.Call) (inside context.Context, link *transaction) {
	switch {
	case call.Op.Session():
		return withCaller(ctx), nil
	case call.Op != sp.OpBegin && !call.InTx, inUnit(call):
		return ctx, nil
	case call.Op == sp.OpBegin:
		return h.beginTransaction(ctx, call), nil
	}
	span := trace.SpanFromContext(ctx)
	tx, child := h.transactions.find(span.SpanContext())
	// database/sql ends a transaction with the context of its BEGIN, which a
	// session's method may have given it that is long over.
	ended := tx != nil && (call.Op == sp.OpCommit || call.Op == sp.OpRollback) && !span.IsRecording()
	if child || ended {
		return trace.ContextWithSpan(ctx, tx.span), nil
	}
	return ctx, tx
}

// inUnit reports whether the call belongs to a unit of work on its database,
// whose span it is a child of.
func inUnit(call *sp.Call) bool {
	unit := call.Unit()
	return unit != nil && (unit.Target == call.Target || unit.Target != nil && call.Target != nil && unit.Target.Key() == call.Target.Key())
}

// beginTransaction starts the span of the transaction that the call begins,
// which ends with the call.
func (h *handler) beginTransaction(ctx context.Context, call *sp.Call) context.Context {
	if caller := callerOf(ctx, call); caller != nil {
		ctx = trace.ContextWithSpan(ctx, caller)
	}
	under := trace.SpanContextFromContext(ctx).SpanID()
	r := h.records.destination(call.Target).byOp(h.Tracing, sp.OpTransaction)
	name := r.name
	if call.Marks.Name != "" {
		name = call.Marks.Name
	}
	ctx, span := h.tracer.Start(ctx, name, r.start...) //nolint:spancheck // ended by the finish hook
	if !isRecording(span) {
		span.End()
		return ctx
	}
	tx := &transaction{span: span, trace: span.SpanContext().TraceID(), under: under}
	h.transactions.add(tx)
	call.OnFinish(func(err error) {
		h.transactions.remove(tx)
		if err != nil {
			describeFailure(span, h.judge(ctx, call, err), h.cfg.messages)
		}
		span.End()
	})
	return ctx //nolint:spancheck // ended by the finish hook
}

// callerKey is the key of the span around a session's method.
type callerKey struct{}

// withCaller keeps the span in ctx for the transaction that a session's method
// may begin, which outlives the method.
func withCaller(ctx context.Context) context.Context {
	span := trace.SpanFromContext(ctx)
	if ctx.Value(callerKey{}) != nil || !span.SpanContext().IsValid() {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, span)
}

// callerOf returns the span around the session's method that begins the
// transaction, or nil.
func callerOf(ctx context.Context, call *sp.Call) trace.Span {
	if call.Parent == nil || call.Parent.Level != sp.LevelSession {
		return nil
	}
	caller, _ := ctx.Value(callerKey{}).(trace.Span)
	return caller
}

// find returns the transaction that a statement with this span in its context
// belongs to, or nil, and whether it was begun under that very span.
func (t *transactions) find(at trace.SpanContext) (tx *transaction, child bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.open[at.TraceID()]
	for _, candidate := range all {
		if candidate.under != at.SpanID() {
			continue
		}
		if child {
			return nil, false
		}
		tx, child = candidate, true
	}
	if !child && len(all) == 1 {
		tx = all[0]
	}
	return tx, child
}

func (t *transactions) add(tx *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[tx.trace] = append(t.open[tx.trace], tx)
}

func (t *transactions) remove(tx *transaction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := slices.DeleteFunc(t.open[tx.trace], func(other *transaction) bool { return other == tx })
	if len(rest) == 0 {
		delete(t.open, tx.trace)
		return
	}
	t.open[tx.trace] = rest
}
