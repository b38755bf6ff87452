package tracing

import (
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// The attributes that the semantic conventions have no key for.
const (
	attemptKey    = attribute.Key("sessionproxy.attempt")
	delayKey      = attribute.Key("sessionproxy.delay") // in seconds
	detailKey     = attribute.Key("sessionproxy.detail")
	faultClassKey = attribute.Key("sessionproxy.fault.class")
	waitTimeKey   = attribute.Key("sessionproxy.queue.wait_time") // in seconds
)

// targetName returns the {target} of a span's name: the namespace, else the
// server, else "".
func targetName(t *sp.Target) string {
	switch {
	case t == nil:
		return ""
	case t.Namespace != "":
		return t.Namespace
	case t.Host != "" && t.Port != 0:
		return net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	}
	return t.Host
}

// operationName returns db.operation.name for an operation without a text, or
// "" if there is none: that an anonymous statement was executed or queried is
// no operation of the database.
func operationName(op sp.Op) string {
	switch op {
	case sp.OpExec, sp.OpQuery:
		return ""
	case sp.OpBatch:
		return "BATCH"
	case sp.OpPrepare:
		return "PREPARE"
	default:
		return op.String()
	}
}

// eventAttributes returns what a span's event tells of e. The error's message
// is not among it.
func eventAttributes(e sp.Event) []attribute.KeyValue {
	var out []attribute.KeyValue
	if e.Attempt != 0 {
		out = append(out, attemptKey.Int(e.Attempt))
	}
	if e.Delay != 0 {
		out = append(out, delayKey.Float64(e.Delay.Seconds()))
	}
	if e.Detail != "" {
		out = append(out, detailKey.String(e.Detail))
	}
	if e.Err != nil {
		// Not the call's verdict: a fork may report while the call is at work.
		class, code := fault.Of(e.Err, fault.Situation{}).Class, fault.Code(e.Err)
		out = append(out, faultClassKey.String(class.String()),
			semconv.ErrorTypeKey.String(telemetry.ErrorType(e.Err, code, class)))
	}
	return out
}
