package tracing

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// spanName returns the name of the call's span.
func (t *Tracing) spanName(ctx context.Context, call *sp.Call, r *record) string {
	if t.cfg.spanName != nil {
		if name := t.cfg.spanName(ctx, call); name != "" {
			return name
		}
	}
	// A connection is opened and taken for whatever call happens to need one.
	if call.Marks.Operation != "" && call.Op != sp.OpConnect && call.Op != sp.OpAcquire {
		return call.Marks.Operation
	}
	return r.name
}

// describeStart adds what only a recorded span needs, and what changes from
// call to call.
func (o *observation) describeStart() {
	call, span := o.call, o.span
	call.OnEvent(o.listen)
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
	o.span.AddEvent(string(e.Kind), trace.WithAttributes(eventAttributes(e)...))
}

// describeEnd adds what is known at the end.
func (o *observation) describeEnd(f failure) {
	o.describeRows()
	if !f.failed {
		return
	}
	class := []attribute.KeyValue{faultClassKey.String(f.class.String())}
	o.span.SetAttributes(concat(f.attributes(), class)...)
	o.span.SetStatus(codes.Error, f.description(o.tracing.cfg.messages))
}

// describeRows adds the number of rows, if it is wanted.
func (o *observation) describeRows() {
	if o.tracing.cfg.rows && returnsRows(o.call.Op) {
		o.span.SetAttributes(semconv.DBResponseReturnedRows(int(o.call.RowsReturned)))
	}
}

// returnsRows reports whether calls of op have a number of rows to tell.
func returnsRows(op sp.Op) bool { return op == sp.OpQuery || op == sp.OpBatch }
