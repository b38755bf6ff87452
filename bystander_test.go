package sessionproxy_test

import (
	"context"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// aside is an interceptor that is unconcerned with the operations it names.
type aside []sp.Op

func (a aside) Wrap(next sp.Handler) sp.Handler { return next }

func (a aside) Unconcerned(_ context.Context, op sp.Op) bool {
	return slices.Contains(a, op)
}

func TestACallIsScreenedOutWhenNoLinkIsConcerned(t *testing.T) {
	t.Parallel()
	one := sp.NewChain(aside{sp.OpExec}).Screen()
	if !one(t.Context(), sp.OpExec) || one(t.Context(), sp.OpQuery) {
		t.Error("a chain of one link does not say what the link says")
	}
	two := sp.NewChain(aside{sp.OpExec, sp.OpQuery}, aside{sp.OpQuery}).Screen()
	if two(t.Context(), sp.OpExec) || !two(t.Context(), sp.OpQuery) {
		t.Error("a chain of two links does not say what both say")
	}
	if screen := sp.NewChain(aside{sp.OpExec}, hooked(func(error) {})).Screen(); screen != nil {
		t.Error("a chain with a link that can't tell can be screened")
	}
}

func TestACallNobodyWaitsForIsLoose(t *testing.T) {
	t.Parallel()
	open := func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		return nil
	}
	for name, test := range map[string]struct {
		chain sp.Chain
		loose bool
	}{
		"no hook": {sp.NewChain(attempts(2)), true},
		"a hook":  {sp.NewChain(attempts(2), hooked(func(error) {})), false},
	} {
		call, _ := newCall(open)
		isOpen, err := attach.Run(t.Context(), call, test.chain.Then(attach.Perform))
		if err != nil || !isOpen || attach.Loose(call) != test.loose {
			t.Errorf("%s: open %t, loose %t, %v", name, isOpen, attach.Loose(call), err)
		}
	}
}
