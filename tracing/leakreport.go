package tracing

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// What reports of open results say, and the age that they give, in seconds.
const (
	overdueEvent   = "result.overdue"
	messageOverdue = "result is still open"
	messageClosed  = "overdue result closed"
	ageKey         = attribute.Key("sessionproxy.result.age")
)

// report tells that a result has been open for too long.
func (o *opening) report(l *leaks) {
	age := time.Since(o.at)
	o.count(l, 1)
	trace.SpanFromContext(o.ctx).AddEvent(overdueEvent, trace.WithAttributes(ageKey.Float64(age.Seconds())))
	o.write(l, slog.LevelWarn, messageOverdue, age, slog.String(string(semconv.CodeStacktraceKey), o.stack()))
}

// reportClosed tells that it is closed after all.
func (o *opening) reportClosed(l *leaks) {
	o.count(l, -1)
	o.write(l, slog.LevelInfo, messageClosed, time.Since(o.at))
}

// count adds to the number of overdue results.
func (o *opening) count(l *leaks, n int64) {
	if l.count != nil {
		l.count.Add(context.WithoutCancel(o.ctx), n, metric.WithAttributeSet(attribute.NewSet(concat(o.record.attributes)...)))
	}
}

// write writes a record, with the attributes that the result's call is
// measured with.
func (o *opening) write(l *leaks, level slog.Level, message string, age time.Duration, more ...slog.Attr) {
	if !l.log.Enabled(o.ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("event.name", overdueEvent)}
	for _, kv := range o.record.attributes {
		attrs = append(attrs, slog.Any(string(kv.Key), kv.Value.AsInterface()))
	}
	attrs = append(attrs, slog.Float64(string(ageKey), age.Seconds()))
	if sc := trace.SpanContextFromContext(o.ctx); sc.IsValid() {
		attrs = append(attrs, slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	l.log.LogAttrs(o.ctx, level, message, append(attrs, more...)...)
}

// stack writes who opened the result, a line for each function as in a panic's
// trace, from the first one that is none of a library that opens results for
// others; all of them if there is no such one, as on an async session's own
// goroutine.
func (o *opening) stack() string {
	var all, caller strings.Builder
	frames := runtime.CallersFrames(o.callers[:o.depth])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Function == "" {
			continue
		}
		line := f.Function + "\n\t" + f.File + ":" + strconv.Itoa(f.Line) + "\n"
		all.WriteString(line)
		if caller.Len() > 0 || !telemetry.ForOthers(f.Function) {
			caller.WriteString(line)
		}
	}
	if caller.Len() == 0 {
		return all.String()
	}
	return caller.String()
}
