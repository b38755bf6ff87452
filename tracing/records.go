package tracing

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// record is what calls of one operation or one text on one target have in
// common, in the form in which it is handed to OpenTelemetry.
type record struct {
	name       string
	start      []trace.SpanStartOption
	measure    []metric.RecordOption
	attributes []attribute.KeyValue // those of measure
}

// records keeps the records of one handle, by target. A handle has one target,
// or two when it learns what the server really is; more are possible.
type records struct {
	last  atomic.Pointer[destination]                 // found without a look into the map
	known atomic.Pointer[map[*sp.Target]*destination] // never changed, only replaced
	mu    sync.Mutex                                  // held while it is replaced
}

// maxTargets bounds what a handle keeps, should its targets come and go.
const maxTargets = 64

// of returns the record for a call.
func (r *records) of(t *Tracing, call *sp.Call) *record {
	d := r.destination(call.Target)
	if hasText(call) {
		return d.byText(t, telemetry.UseOf(call), call.Op, call.Text)
	}
	return d.byOp(t, call.Op)
}

// destination returns the records of a target.
func (r *records) destination(target *sp.Target) *destination {
	d := r.last.Load()
	if d == nil || d.target != target {
		d = r.find(target)
		r.last.Store(d)
	}
	return d
}

func (r *records) find(target *sp.Target) *destination {
	if known := r.known.Load(); known != nil {
		if d := (*known)[target]; d != nil {
			return d
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[*sp.Target]*destination)
	if known := r.known.Load(); known != nil && len(*known) < maxTargets {
		maps.Copy(next, *known)
	}
	d := next[target]
	if d == nil {
		d = newDestination(target)
		next[target] = d
	}
	r.known.Store(&next)
	return d
}

// destination keeps the records of one target.
type destination struct {
	target     *sp.Target
	name       string // the {target} of span names
	attributes []attribute.KeyValue
	dialect    sqltext.Dialect
	ops        [256]atomic.Pointer[record]
	texts      [telemetry.Uses]*sqltext.Cache[*record]
}

func newDestination(target *sp.Target) *destination {
	d := &destination{
		target: target, name: targetName(target), attributes: telemetry.Target(target), dialect: telemetry.DialectOf(target),
	}
	for i := range d.texts {
		d.texts[i] = sqltext.NewCache[*record](0, 0)
	}
	return d
}

// byOp returns the record of an operation without a text.
func (d *destination) byOp(t *Tracing, op sp.Op) *record {
	if r := d.ops[op].Load(); r != nil {
		return r
	}
	r := d.newOpRecord(t, op)
	d.ops[op].Store(r)
	return r
}

func (d *destination) newOpRecord(t *Tracing, op sp.Op) *record {
	name := operationName(op)
	if name == "" {
		return d.newRecord(t, op, d.orSystem(d.name), nil, nil)
	}
	operation := []attribute.KeyValue{semconv.DBOperationName(name)}
	if t.plan[op] == planClient && d.name != "" {
		name += " " + d.name
	}
	return d.newRecord(t, op, name, operation, nil)
}

// orSystem returns name, or the system's name if there is none.
func (d *destination) orSystem(name string) string {
	if name != "" {
		return name
	}
	return d.attributes[0].Value.AsString()
}

// newRecord makes the record of calls of op. Its attributes are those of the
// target, common, and the configured ones; spans have spanOnly as well.
func (d *destination) newRecord(t *Tracing, op sp.Op, name string, common, spanOnly []attribute.KeyValue) *record {
	r := &record{
		name:       name,
		attributes: concat(d.attributes, common, t.cfg.attributes),
	}
	kind := trace.SpanKindClient
	if t.plan[op] == planInternal {
		kind = trace.SpanKindInternal
	}
	span := concat(d.attributes, common, spanOnly, t.cfg.attributes)
	r.start = []trace.SpanStartOption{trace.WithSpanKind(kind), trace.WithAttributes(span...)}
	r.measure = measureOptions(r.attributes)
	return r
}

// concat returns the lists as one, in memory of its own and of the exact size.
func concat(lists ...[]attribute.KeyValue) []attribute.KeyValue {
	n := 0
	for _, l := range lists {
		n += len(l)
	}
	out := make([]attribute.KeyValue, 0, n)
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}
