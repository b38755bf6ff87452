package logging

import (
	"context"
	"log/slog"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// eventLog logs the events of one call, or the changes of a breaker's state
// during all calls of a target.
type eventLog struct {
	handler *handler
	ctx     context.Context // the call's; nil if it serves all calls of a target
	target  *target
}

// log logs an event.
func (l *eventLog) log(e sp.Event) {
	h := l.handler
	level := h.levels.success
	if e.Kind == sp.EventBreaker {
		level = h.levels.warning
	}
	ctx := l.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if !h.logger.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 16), slog.String(eventKey, string(e.Kind)))
	attrs = append(attrs, l.target.attrs...)
	attrs = appendEvent(attrs, e)
	h.logger.LogAttrs(ctx, level, messageEvent, telemetry.AppendTrace(attrs, ctx)...)
}

// logBreaker logs an event that is a change of a breaker's state. It needs no
// call, so that one function does for all calls of a target when nothing else
// is of interest.
func (l *eventLog) logBreaker(e sp.Event) {
	if e.Kind == sp.EventBreaker {
		l.log(e)
	}
}

// appendEvent adds what e tells. The error's text is not among it.
func appendEvent(attrs []slog.Attr, e sp.Event) []slog.Attr {
	if e.Attempt != 0 {
		attrs = append(attrs, slog.Int(attemptKey, e.Attempt))
	}
	if e.Delay != 0 {
		attrs = append(attrs, slog.Float64(delayKey, e.Delay.Seconds()))
	}
	if e.Detail != "" {
		attrs = append(attrs, slog.String(detailKey, e.Detail))
	}
	if e.Err != nil {
		// Not the call's verdict: a fork may report while the call is at work.
		class := fault.Of(e.Err, fault.Situation{}).Class
		attrs = append(attrs,
			slog.String(string(semconv.ErrorTypeKey), telemetry.ErrorType(e.Err, fault.Code(e.Err), class)),
			slog.String(faultClassKey, class.String()))
	}
	return attrs
}
