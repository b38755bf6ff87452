package logging

import (
	"log/slog"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// target is what is made once for a target.
type target struct {
	target  *sp.Target
	attrs   []slog.Attr
	breaker func(sp.Event) // logs changes of a breaker's state
}

// target returns what was made for t. A handle has one target, or two when it
// learns more about its server.
func (h *handler) target(t *sp.Target) *target {
	if seen := h.seen.Load(); seen != nil && seen.target == t {
		return seen
	}
	made := &target{target: t, attrs: telemetry.LogTarget(t)}
	made.breaker = (&eventLog{handler: h, target: made}).logBreaker
	h.seen.Store(made)
	return made
}
