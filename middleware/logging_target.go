package middleware

import (
	"log/slog"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
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
	named := telemetry.Target(t)
	attrs := make([]slog.Attr, len(named))
	for i, a := range named {
		attrs[i] = slog.Any(string(a.Key), a.Value.AsInterface())
	}
	return attrs
}

// systemOf returns the name of the target's system, if it is known.
func systemOf(t *sp.Target) string {
	if t == nil {
		return ""
	}
	return string(t.System)
}
