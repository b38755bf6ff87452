package sessionproxy_test

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

// disabled is an interceptor that is always off.
type disabled struct{ sp.InterceptorFunc }

func (*disabled) Enabled(context.Context, sp.Op) bool { return false }

func TestObserversAreThoseThatSaySo(t *testing.T) {
	t.Parallel()
	pass := sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })
	seen := sp.Observing(&disabled{pass})
	chain := sp.NewChain(pass, sp.Observing(pass), seen)
	if n, m := chain.Observers().Len(), len(chain.Actors()); n != 2 || m != 1 {
		t.Errorf("of three links %d observe and %d act, want 2 and 1", n, m)
	}
	if sp.Observing(nil) != nil {
		t.Error("a nil interceptor became one")
	}
	if sp.Observing(seen) != seen {
		t.Error("an observer was declared twice")
	}
	enabled := sp.NewChain(seen).Enabled()
	if enabled == nil || enabled(t.Context(), sp.OpExec) {
		t.Error("an interceptor that is off is on once it is declared an observer")
	}
	if sp.NewChain(sp.Observing(pass)).Enabled() != nil {
		t.Error("an interceptor that is always on became one that can be off")
	}
}
