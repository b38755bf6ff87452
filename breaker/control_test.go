package breaker_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
)

// step is a change as tests compare them.
type step struct{ from, to breaker.State }

// watched returns an option that writes changes down, and what it wrote.
func watched() (breaker.Option, *[]step) {
	var steps []step
	return breaker.WithOnStateChange(func(c breaker.Change) { steps = append(steps, step{c.From, c.To}) }), &steps
}

func TestAForcedOpenCircuitStaysOpen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.ForceOpen(target)
		time.Sleep(24 * time.Hour)
		r.want(breaker.StateForcedOpen)
		got := *openError(t, r.run(newCall(sp.OpExec, answer(nil))))
		if want := (breaker.OpenError{Target: target.String(), State: breaker.StateForcedOpen}); got != want {
			t.Errorf("refusal is %+v, want %+v", got, want)
		}
	})
}

func TestAForcedClosedCircuitCountsButDoesNotOpen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.ForceClosed(target)
		r.exec(100, errRefused)
		r.want(breaker.StateForcedClosed)
		r.ForceClosed(target) // changes nothing
		if got := r.counts().Failures; got != 100 {
			t.Errorf("it counted %d failures, want 100", got)
		}
	})
}

func TestADisabledCircuitCountsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.Disable(target)
		r.exec(100, errRefused)
		r.want(breaker.StateDisabled)
		if got := r.counts(); got != (breaker.Counts{}) {
			t.Errorf("it counted %+v", got)
		}
	})
}

func TestResetGivesACircuitBackToItsCalls(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, force := range []func(*rig){
			func(r *rig) { r.ForceOpen(target) },
			func(r *rig) { r.ForceClosed(target) },
			func(r *rig) { r.Disable(target) },
			func(r *rig) { r.open() },
			func(r *rig) { r.exec(9, errRefused) },
		} {
			r := newRig(t, breaker.WithConsecutiveFailures(10))
			force(r)
			r.Reset(target)
			if s := r.status(); s.State != breaker.StateClosed || s.Counts != (breaker.Counts{}) || s.Cause != fault.ClassNone {
				t.Errorf("after a reset the circuit is %+v", s)
			}
			r.exec(9, errRefused)
			r.want(breaker.StateClosed)
			r.exec(1, errRefused)
			r.want(breaker.StateOpen)
		}
	})
}

func TestAProbeFromBeforeAResetIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithProbes(1))
		r.open()
		time.Sleep(11 * time.Second)
		_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error {
			r.Reset(target)
			return errRefused
		}))
		r.want(breaker.StateClosed)
		r.open()
		time.Sleep(11 * time.Second)
		_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error {
			r.ForceOpen(target)
			return nil
		}))
		r.want(breaker.StateForcedOpen)
	})
}

func TestChangesAreToldInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		watch, steps := watched()
		r := newRig(t, watch, breaker.WithProbes(1))
		r.open()
		time.Sleep(11 * time.Second)
		r.exec(1, errRefused)
		time.Sleep(11 * time.Second)
		r.exec(1, nil)
		r.ForceOpen(target)
		r.ForceOpen(target)
		r.Disable(target)
		r.ForceClosed(target)
		r.Reset(target)
		r.Reset(target)
		want := []step{
			{breaker.StateClosed, breaker.StateOpen},
			{breaker.StateOpen, breaker.StateHalfOpen},
			{breaker.StateHalfOpen, breaker.StateOpen},
			{breaker.StateOpen, breaker.StateHalfOpen},
			{breaker.StateHalfOpen, breaker.StateClosed},
			{breaker.StateClosed, breaker.StateForcedOpen},
			{breaker.StateForcedOpen, breaker.StateDisabled},
			{breaker.StateDisabled, breaker.StateForcedClosed},
			{breaker.StateForcedClosed, breaker.StateClosed},
		}
		if !slices.Equal(*steps, want) {
			t.Errorf("changes are %v, want %v", *steps, want)
		}
	})
}

func TestACallSeesTheChangesItMakes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(1), breaker.WithProbes(1))
		seen := func(err error) (details []string) {
			call := newCall(sp.OpExec, answer(err))
			call.OnEvent(func(e sp.Event) {
				if e.Kind == sp.EventBreaker {
					details = append(details, e.Detail)
				}
			})
			_ = r.run(call)
			return details
		}
		if got := seen(errRefused); !slices.Equal(got, []string{"open"}) {
			t.Errorf("the failure saw %v", got)
		}
		time.Sleep(11 * time.Second)
		if got := seen(nil); !slices.Equal(got, []string{"half_open", "closed"}) {
			t.Errorf("the probe saw %v", got)
		}
		if got := seen(nil); got != nil {
			t.Errorf("a call that changed nothing saw %v", got)
		}
	})
}

func TestAChangeMadeByAWatcherIsToldAfterIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var log []string
		var b *breaker.Breaker
		inside := false
		r := newRig(t, breaker.WithOnStateChange(func(c breaker.Change) {
			if inside {
				t.Error("told while a watcher was at work")
			}
			inside = true
			log = append(log, c.To.String())
			if c.To == breaker.StateOpen {
				b.ForceOpen(target)
			}
			inside = false
		}))
		b = r.Breaker
		for r.State(target) == breaker.StateClosed {
			r.exec(1, errRefused)
		}
		if want := []string{"open", "forced_open"}; !slices.Equal(log, want) {
			t.Errorf("watcher was told %v, want %v", log, want)
		}
	})
}

func TestAWatcherThatPanicsSilencesNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		told := 0
		r := newRig(t, breaker.WithOnStateChange(func(breaker.Change) {
			if told++; told == 1 {
				panic("watcher")
			}
		}))
		func() {
			defer func() { _ = recover() }()
			r.ForceOpen(target)
		}()
		r.Reset(target)
		if told != 2 {
			t.Errorf("watcher was told %d changes, want 2", told)
		}
	})
}

func TestChangesOfManyGoroutinesAreToldOneAtATimeAndInOrder(t *testing.T) {
	t.Parallel()
	last := map[sp.Target]breaker.State{} // unguarded: the race detector holds "one at a time"
	r := newRig(t, breaker.WithOnStateChange(func(c breaker.Change) {
		if last[c.Target] != c.From {
			t.Errorf("%v: told of a change from %v, though it was %v", c.Target, c.From, last[c.Target])
		}
		last[c.Target] = c.To
	}))
	var wg sync.WaitGroup
	for i := range 8 {
		to := &sp.Target{Port: i % 3}
		wg.Go(func() {
			for range 200 {
				r.ForceOpen(to)
				r.Disable(to)
				r.Reset(to)
			}
		})
	}
	wg.Wait()
}

func TestStatesAreInOrderAndTheLoopMayEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, host := range []string{"c", "a", "b"} {
		r.Disable(&sp.Target{System: sp.MySQL, Host: host})
	}
	var hosts []string
	for s := range r.States() {
		if hosts = append(hosts, s.Target.Host); len(hosts) == 2 {
			break
		}
	}
	if !slices.Equal(hosts, []string{"a", "b"}) {
		t.Errorf("circuits are %v, want a and b", hosts)
	}
}

func TestStatesHaveNames(t *testing.T) {
	t.Parallel()
	var names []string
	for s := breaker.StateClosed; s <= breaker.StateDisabled+1; s++ {
		names = append(names, s.String())
	}
	want := []string{"closed", "half_open", "open", "forced_open", "forced_closed", "disabled", "invalid"}
	if !slices.Equal(names, want) {
		t.Errorf("names are %v, want %v", names, want)
	}
}
