package middleware

import (
	"log/slog"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
)

// logTarget is what is made once for a target.
type logTarget struct {
	target  *sp.Target
	attrs   []slog.Attr
	breaker func(sp.Event) // logs changes of a breaker's state
}

// target returns what was made for t. A handle has one target, or two when it
// learns more about its server.
func (h *logHandler) target(t *sp.Target) *logTarget {
	if seen := h.seen.Load(); seen != nil && seen.target == t {
		return seen
	}
	made := &logTarget{target: t, attrs: targetAttrs(t)}
	made.breaker = (&eventLog{handler: h, target: made}).logBreaker
	h.seen.Store(made)
	return made
}

// targetAttrs returns the attributes that name the database.
func targetAttrs(t *sp.Target) []slog.Attr {
	if t == nil || t.System == "" {
		return []slog.Attr{slog.String(string(semconv.DBSystemNameKey), string(sp.OtherSQL))}
	}
	attrs := []slog.Attr{slog.String(string(semconv.DBSystemNameKey), string(t.System))}
	if t.Namespace != "" {
		attrs = append(attrs, slog.String(string(semconv.DBNamespaceKey), t.Namespace))
	}
	if t.Host != "" {
		attrs = append(attrs, slog.String(string(semconv.ServerAddressKey), t.Host))
		if t.Port != 0 && t.Port != defaultPort(t.System) {
			attrs = append(attrs, slog.Int(string(semconv.ServerPortKey), t.Port))
		}
	}
	return attrs
}

// defaultPort returns the port that need not be told, or 0.
func defaultPort(s sp.System) int {
	switch s {
	case sp.PostgreSQL:
		return 5432
	case sp.CockroachDB:
		return 26257
	case sp.MySQL, sp.MariaDB:
		return 3306
	default:
		return 0
	}
}
