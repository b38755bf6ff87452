package breaker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
)

func TestOneProbeAtATimeWhileNoneSucceeds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const probes = 3
		r := newRig(t, breaker.WithProbes(probes), breaker.WithOpenTime(time.Second))
		var running, admitted, most atomic.Int64
		probe := func(context.Context, *sp.Call) error {
			admitted.Add(1)
			n := running.Add(1)
			for {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			time.Sleep(time.Millisecond)
			running.Add(-1)
			return errRefused
		}
		for range 20 {
			r.open()
			time.Sleep(time.Second + 1)
			admitted.Store(0)
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() { _ = r.run(newCall(sp.OpExec, probe)) })
			}
			wg.Wait()
			if n := admitted.Load(); n != 1 {
				t.Fatalf("%d probes were let through before one had succeeded, want 1", n)
			}
		}
		if n := most.Load(); n != 1 {
			t.Errorf("%d probes ran at a time, want 1", n)
		}
	})
}

// TestEverythingAtOnce is for the race detector. The window is short, so that
// counting and turning meet, and circuits are dropped while they are in use.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, breaker.WithWindow(3, 50*time.Microsecond), breaker.WithOpenTime(100*time.Microsecond),
		breaker.WithProbeLease(200*time.Microsecond), breaker.WithMaxWait(time.Millisecond), breaker.WithMaxTargets(2), breaker.WithMinimumRequests(5),
		breaker.WithSlowCalls(time.Millisecond, 0.5), breaker.WithOnStateChange(func(breaker.Change) {}))
	targets := []*sp.Target{target, {Host: "b"}, {Host: "c"}, nil}
	ops := []sp.Op{sp.OpExec, sp.OpQuery, sp.OpBegin, sp.OpCommit, sp.OpRollback, sp.OpTransaction}
	errs := []error{nil, nil, errRefused, errUnique, context.Canceled}
	one := func() {
		err := errs[rand.IntN(len(errs))]
		call := newCall(ops[rand.IntN(len(ops))], func(_ context.Context, call *sp.Call) error {
			if err == nil && call.Op == sp.OpQuery {
				attach.KeepOpen(call)
			}
			return err
		})
		call.Target = targets[rand.IntN(len(targets))]
		call.Scope = sp.Scope(rand.IntN(2)) // half of them may wait for a probe
		_ = r.Admit(context.Background(), call)
		open, got := attach.Run(context.Background(), call, r.handler)
		if open {
			attach.Finish(call, errs[rand.IntN(len(errs))])
		}
		if !errors.Is(got, err) && !errors.Is(got, breaker.ErrOpen) {
			t.Errorf("call returned %v, want %v or a refusal", got, err)
		}
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 3000 {
				one()
				if i == 0 && n%100 == 0 {
					r.control(targets[rand.IntN(len(targets))])
				}
			}
		})
	}
	wg.Wait()
}

// control does one of the things that people do.
func (r *rig) control(to *sp.Target) {
	switch rand.IntN(5) {
	case 0:
		r.ForceOpen(to)
	case 1:
		r.ForceClosed(to)
	case 2:
		r.Disable(to)
	default:
		r.Reset(to)
	}
	for range r.States() {
	}
}

func TestNoOutcomeIsLostBetweenGoroutines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const workers, periods = 8, 500
		r := newRig(t, breaker.WithWindow(periods+1, time.Second))
		for range periods {
			time.Sleep(time.Second) // so that the first of them has to turn the window
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() { _ = r.run(newCall(sp.OpExec, answer(errUnique))) })
			}
			wg.Wait()
		}
		if got, want := r.counts(), (breaker.Counts{Successes: workers * periods}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}
