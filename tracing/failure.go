package tracing

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// failure is what is recorded of an error. The zero value is success.
type failure struct {
	failed bool
	err    error
	class  fault.Class
	code   string // the database's own; may be empty
	kind   string // error.type
}

// judge reads what is to be recorded of the error with which the call ended.
func (t *Tracing) judge(ctx context.Context, call *sp.Call, err error) failure {
	v := call.Verdict(err)
	f := failure{err: err, class: v.Class}
	if errors.Is(err, sp.ErrAborted) {
		// The verdict is of an earlier error, if any: nobody returned this one.
		v.Moot, f.class = false, fault.ClassUnknown
	}
	byCaller := f.class == fault.ClassCanceled && errors.Is(ctx.Err(), context.Canceled)
	if v.Moot || byCaller && !t.cfg.canceled || !t.cfg.counts(err, f.class) {
		return failure{}
	}
	if f.failed, f.code = true, fault.Code(err); f.code == "" {
		f.code = fault.Code(call.Fault())
	}
	f.kind = telemetry.ErrorType(err, f.code, f.class)
	return f
}

// attributes returns what spans and metrics have in common.
func (f failure) attributes() []attribute.KeyValue {
	out := []attribute.KeyValue{semconv.ErrorTypeKey.String(f.kind)}
	if f.code != "" {
		out = append(out, semconv.DBResponseStatusCode(f.code))
	}
	return out
}

// description returns the description of a span's status: words of which none
// comes out of a row, unless the error's own message is wanted.
func (f failure) description(message bool) string {
	switch {
	case message:
		return f.err.Error()
	case errors.Is(f.err, sp.ErrAborted):
		return "aborted"
	case f.code != "":
		return f.class.String() + " (" + f.code + ")"
	}
	return f.class.String()
}
