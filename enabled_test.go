package sessionproxy_test

import (
	"context"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// offFor is an interceptor that is off for the operations it names.
type offFor []sp.Op

func (o offFor) Wrap(next sp.Handler) sp.Handler { return next }

func (o offFor) Enabled(_ context.Context, op sp.Op) bool {
	return !slices.Contains(o, op)
}

func TestAChainIsEnabledIfOneLinkIs(t *testing.T) {
	t.Parallel()
	one := sp.NewChain(offFor{sp.OpExec}).Enabled()
	if one(t.Context(), sp.OpExec) || !one(t.Context(), sp.OpQuery) {
		t.Error("a chain of one link does not say what the link says")
	}
	two := sp.NewChain(offFor{sp.OpExec, sp.OpQuery}, offFor{sp.OpQuery}).Enabled()
	if !two(t.Context(), sp.OpExec) || two(t.Context(), sp.OpQuery) {
		t.Error("a chain of two links is on where both are off, or off where one is on")
	}
	if enabled := sp.NewChain(offFor{sp.OpExec}, hooked(func(error) {})).Enabled(); enabled != nil {
		t.Error("a chain with a link that can't tell is off")
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
