package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
)

// spanName returns the name of the call's span.
func (t *Tracing) spanName(ctx context.Context, call *sp.Call, r *record) string {
	if t.cfg.spanName != nil {
		if name := t.cfg.spanName(ctx, call); name != "" {
			return name
		}
	}
	if call.Marks.Name != "" && t.named[call.Op] {
		return call.Marks.Name
	}
	return r.name
}

// takesName reports whether the span of a call of op is named by the mark of
// its context. A connection is opened and taken for whatever call happens to
// need one, and BEGIN leaves the name to the span of its transaction.
func (c *config) takesName(op sp.Op) bool {
	switch op {
	case sp.OpConnect, sp.OpAcquire:
		return false
	case sp.OpBegin:
		return !c.spansTransactions()
	default:
		return true
	}
}

// describeStart adds what only a recorded span needs, and what changes from
// call to call.
func (o *observation) describeStart() {
	call, span := o.call, o.span
	if call.Op == sp.OpBatch && call.BatchSize != 1 {
		span.SetAttributes(semconv.DBOperationBatchSize(call.BatchSize))
	}
	if call.Retried() {
		span.SetAttributes(attemptKey.Int(call.Attempt()))
	}
	if o.tracing.cfg.parameters != nil {
		o.describeParameters()
	}
}

// onEvent adds an event to the span. The finish hook, registered next, puts the
// observation back into its pool, and no event comes after it.
func (o *observation) onEvent(e sp.Event) {
	if e.Kind == sp.EventQueued {
		o.waited += e.Delay
		o.span.SetAttributes(waitTimeKey.Float64(o.waited.Seconds()))
	}
	o.span.AddEvent(string(e.Kind), trace.WithAttributes(eventAttributes(e)...))
}

// describeEnd adds what is known at the end.
func (o *observation) describeEnd(f failure) {
	o.describeRows()
	describeFailure(o.span, f, o.tracing.cfg.messages)
}

// describeFailure says on a span with what failure it ended, if any.
func describeFailure(span trace.Span, f failure, message bool) {
	if !f.failed {
		return
	}
	class := []attribute.KeyValue{faultClassKey.String(f.class.String())}
	span.SetAttributes(concat(f.attributes(), class)...)
	span.SetStatus(codes.Error, f.description(message))
}

// describeRows adds the number of rows, if it is wanted.
func (o *observation) describeRows() {
	if o.tracing.cfg.rows && returnsRows(o.call.Op) {
		o.span.SetAttributes(semconv.DBResponseReturnedRows(int(o.call.RowsReturned)))
	}
}

// returnsRows reports whether calls of op have a number of rows to tell.
func returnsRows(op sp.Op) bool { return op == sp.OpQuery || op == sp.OpBatch }
