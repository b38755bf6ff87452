package logging

import (
	"errors"
	"log/slog"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// The names of attributes that the semantic conventions have none for, besides
// those of package telemetry.
const (
	attemptsKey   = "sessionproxy.attempts"
	affectedKey   = "sessionproxy.rows_affected"
	faultClassKey = "sessionproxy.fault.class"
	attemptKey    = "sessionproxy.attempt"
	delayKey      = "sessionproxy.delay" // in seconds
	detailKey     = "sessionproxy.detail"
	eventKey      = "event.name"
)

// describe fills in the attributes of a call's record.
func (e *entry) describe(f failure, took time.Duration, dropped int64) {
	call := e.call
	e.attrs = append(e.attrs, e.target.attrs...)
	e.describeStatement()
	e.attrs = append(e.attrs, slog.Float64(telemetry.DurationKey, took.Seconds()))
	if n := call.Attempt(); n > 1 {
		e.attrs = append(e.attrs, slog.Int(attemptsKey, n))
	}
	if call.Op == sp.OpQuery {
		e.attrs = append(e.attrs, slog.Int64(string(semconv.DBResponseReturnedRowsKey), call.RowsReturned))
	}
	if call.RowsAffected >= 0 {
		e.attrs = append(e.attrs, slog.Int64(affectedKey, call.RowsAffected))
	}
	if f.err != nil {
		e.attrs = f.describe(e.attrs, e.handler.messages)
	}
	if dropped > 0 {
		e.attrs = append(e.attrs, slog.Int64(telemetry.SuppressedKey, dropped))
	}
	e.attrs = telemetry.AppendTrace(e.attrs, e.ctx)
}

// describeStatement adds what was to be done.
func (e *entry) describeStatement() {
	call := e.call
	if call.Marks.Name != "" {
		e.attrs = append(e.attrs, slog.String(telemetry.OperationKey, call.Marks.Name))
	}
	if name := operationName(call.Op); name != "" {
		e.attrs = append(e.attrs, slog.String(string(semconv.DBOperationNameKey), name))
	}
	if call.BatchSize > 1 {
		e.attrs = append(e.attrs, slog.Int(string(semconv.DBOperationBatchSizeKey), call.BatchSize))
	}
	if call.Text != "" {
		e.attrs = e.handler.statements.Append(e.attrs, call)
	}
}

// operationName returns db.operation.name, or "" for a statement, which is
// told by its text: that one was executed or queried is no operation of the
// database.
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

// panicked is the error of a panic, as middleware/recovery makes it.
type panicked interface {
	error
	StackTrace() []byte
}

// describe adds what went wrong.
func (f failure) describe(attrs []slog.Attr, message bool) []slog.Attr {
	attrs = append(attrs,
		slog.String(string(semconv.ErrorTypeKey), f.kind),
		slog.String(faultClassKey, f.class.String()))
	if f.code != "" {
		attrs = append(attrs, slog.String(string(semconv.DBResponseStatusCodeKey), f.code))
	}
	if message {
		attrs = append(attrs, slog.String(string(semconv.ExceptionMessageKey), f.err.Error()))
	}
	if p, ok := errors.AsType[panicked](f.err); ok {
		attrs = append(attrs, slog.String(string(semconv.ExceptionStacktraceKey), string(p.StackTrace())))
	}
	return attrs
}
