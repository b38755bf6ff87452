// Package telemetry says of targets and errors what every interceptor that
// emits telemetry says of them, in the words of OpenTelemetry's semantic
// conventions for databases.
package telemetry

import (
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// MaxTarget is how many attributes [Target] returns at most.
const MaxTarget = 4

// Target returns the attributes that name a database: db.system.name always,
// the others as far as they are known, server.port if it is not the system's
// own. The result may be appended to.
func Target(t *sp.Target) []attribute.KeyValue {
	out := make([]attribute.KeyValue, 0, MaxTarget)
	if t == nil || t.System == "" {
		out = append(out, semconv.DBSystemNameOtherSQL)
	} else {
		out = append(out, semconv.DBSystemNameKey.String(string(t.System)))
	}
	if t == nil {
		return out
	}
	if t.Namespace != "" {
		out = append(out, semconv.DBNamespace(t.Namespace))
	}
	if t.Host != "" {
		out = append(out, semconv.ServerAddress(t.Host))
		if t.Port != 0 && t.Port != t.System.DefaultPort() {
			out = append(out, semconv.ServerPort(t.Port))
		}
	}
	return out
}

// DialectOf returns the SQL dialect of a target, which may be nil.
func DialectOf(t *sp.Target) sqltext.Dialect {
	if t == nil {
		return sqltext.Generic
	}
	return sqltext.DialectOf(string(t.System))
}

// ErrorType returns the value of error.type: the database's code, else the
// class of fault, else the type of the error where that says something.
func ErrorType(err error, code string, class fault.Class) string {
	switch {
	case code != "":
		return code
	case class != fault.ClassNone && class != fault.ClassUnknown:
		return class.String()
	case errors.Is(err, sp.ErrAborted):
		return "aborted"
	}
	// semconv looks through fmt's wrappers; the types of package errors say nothing.
	if name := semconv.ErrorType(err).Value.AsString(); !strings.HasPrefix(name, "*errors.") {
		return name
	}
	return semconv.ErrorTypeOther.Value.AsString()
}
