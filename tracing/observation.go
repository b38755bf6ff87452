package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// observation is the span and the clock of one call. It lives in a pool; the
// call's finish hook, which runs exactly once, puts it back.
type observation struct {
	tracing *Tracing
	call    *sp.Call
	record  *record
	records *records
	target  *sp.Target      // with which the call began
	ctx     context.Context // that of the call, needed when it ends

	span      trace.Span    // nil: none
	recording bool          // the span is being recorded
	measured  bool          // a duration is recorded
	started   time.Time     // unset if the span's own clock is used
	waited    time.Duration // in queues, so far
	ended     bool

	finish func(error)    // the method onFinish, bound once
	listen func(sp.Event) // the method onEvent, likewise
}

// newObservation makes an observation for the pool of t.
func (t *Tracing) newObservation() any {
	o := &observation{tracing: t}
	o.finish, o.listen = o.onFinish, o.onEvent
	return o
}

// begin begins the observation of a call whose span, if it has one, has just
// started. The span is kept here and never looked up in a context again: other
// instrumentation puts its own spans there.
func (o *observation) begin(ctx context.Context, call *sp.Call, r *record, span trace.Span) {
	o.ctx, o.call, o.record, o.span, o.target = ctx, call, r, span, call.Target
}

// onFinish is the finish hook.
func (o *observation) onFinish(err error) {
	if !o.ended {
		o.end(err)
	}
	// One by one: clearing it as a whole costs more.
	o.ctx, o.call, o.record, o.span, o.records, o.target = nil, nil, nil, nil, nil, nil
	o.recording, o.measured, o.ended = false, false, false
	o.started, o.waited = time.Time{}, 0
	o.tracing.observations.Put(o)
}

// end ends the span and records the measurements.
func (o *observation) end(err error) {
	o.ended = true
	if o.call.Target != o.target {
		o.retarget()
	}
	if err == nil && o.recording && !o.measured { // the most frequent, which has the least to say
		o.describeRows()
		o.span.End()
		return
	}
	var f failure
	if err != nil && (o.recording || o.measured) {
		f = o.tracing.judge(o.ctx, o.call, err)
	}
	if o.span != nil {
		if o.recording {
			o.describeEnd(f)
		}
		o.span.End()
	}
	if o.measured {
		o.measure(f)
	}
}

// retarget tells of the target that the call turned out to have, which only an
// open connection knew: what the server is, or which of several hosts it is.
func (o *observation) retarget() {
	began := o.record
	o.record = o.records.of(o.tracing, o.call)
	if !o.recording {
		return
	}
	o.span.SetAttributes(telemetry.Target(o.call.Target)...)
	if o.record.name != began.name && o.tracing.spanName(o.ctx, o.call, began) == began.name {
		o.span.SetName(o.record.name)
	}
}
