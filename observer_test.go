package sessionproxy_test

import (
	"context"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
)

// bystander is an interceptor that is never concerned.
type bystander struct{ sp.InterceptorFunc }

func (*bystander) Unconcerned(context.Context, sp.Op) bool { return true }

func TestObserversAreThoseThatSaySo(t *testing.T) {
	t.Parallel()
	pass := sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return next })
	seen := sp.Observing(&bystander{pass})
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
	screen := sp.NewChain(seen).Screen()
	if screen == nil || !screen(t.Context(), sp.OpExec) {
		t.Error("a declared bystander is none any more")
	}
	if sp.NewChain(sp.Observing(pass)).Screen() != nil {
		t.Error("what is no bystander became one")
	}
}
