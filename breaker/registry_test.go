package breaker_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
)

func TestEqualTargetsShareACircuit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.open()
		twin, other := *target, *target
		other.User = "someone else"
		for _, c := range []struct {
			target *sp.Target
			want   breaker.State
		}{{&twin, breaker.StateOpen}, {&other, breaker.StateClosed}, {nil, breaker.StateClosed}} {
			call := newCall(sp.OpExec, answer(nil))
			call.Target = c.target
			if err := r.run(call); errors.Is(err, breaker.ErrOpen) != (c.want == breaker.StateOpen) {
				t.Errorf("call to %v returned %v", c.target, err)
			}
			if got := r.State(c.target); got != c.want {
				t.Errorf("circuit of %v is %v, want %v", c.target, got, c.want)
			}
		}
		if got := r.State(&sp.Target{Host: "unheard of"}); got != breaker.StateClosed {
			t.Errorf("a target nobody has called is %v", got)
		}
		var seen int
		for range r.States() {
			seen++
		}
		if seen != 3 {
			t.Errorf("there are %d circuits, want 3", seen)
		}
	})
}

func TestTheNumberOfCircuitsIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithMaxTargets(4), breaker.WithWindow(1, time.Second))
		to := func(host string, err error) {
			call := newCall(sp.OpExec, answer(err))
			call.Target = &sp.Target{Host: host}
			_ = r.run(call)
			time.Sleep(time.Second)
		}
		r.ForceOpen(&sp.Target{Host: "forced"})
		for range 10 {
			to("down", errRefused)
		}
		for _, host := range []string{"a", "b", "a", "c"} {
			to(host, nil)
		}
		got := map[string]breaker.State{}
		for s := range r.States() {
			got[s.Target.Host] = s.State
		}
		want := map[string]breaker.State{
			"forced": breaker.StateForcedOpen, "down": breaker.StateOpen, "a": breaker.StateClosed, "c": breaker.StateClosed,
		}
		if !maps.Equal(got, want) {
			t.Errorf("circuits are %v, want %v", got, want)
		}
	})
}

func TestAHandleFindsTheNewCircuitOfATargetThatWasDropped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithMaxTargets(1))
		r.exec(5, errRefused)
		r.ForceClosed(&sp.Target{Host: "elsewhere"}) // drops target's circuit
		r.exec(1, nil)
		if got, want := r.counts(), (breaker.Counts{Successes: 1}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}
