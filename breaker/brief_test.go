package breaker_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// goneFor returns a script for a server that refuses connects until d from now.
func goneFor(d time.Duration) script {
	back := time.Now().Add(d)
	return func(context.Context, *sp.Call) error {
		if time.Now().Before(back) {
			return errRefused
		}
		return nil
	}
}

// TestABriefOutageIsWaitedThrough lets calls come all the time while a server is
// restarted: none is refused, and none fails but the probes.
func TestABriefOutageIsWaitedThrough(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const ms, probes = time.Millisecond, 4 // at 100, 300, 500 and 700 ms
		r := recovers(t)
		r.open()
		server := goneFor(800 * ms)
		var failed, good atomic.Int64
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * ms)
				switch err := r.run(pooled(sp.OpExec, server)); {
				case err == nil:
					good.Add(1)
				case errors.Is(err, errRefused):
					failed.Add(1)
				default:
					t.Errorf("at %d ms: %v", 10*i, err)
				}
			})
		}
		wg.Wait()
		if last := time.Since(began); last != 990*ms {
			t.Errorf("the last call ended after %v", last)
		}
		r.want(breaker.StateClosed)
		if failed.Load() != probes || good.Load() != 100-probes {
			t.Errorf("failed %d, good %d", failed.Load(), good.Load())
		}
	})
}

// TestALongOutageIsWaitedForUntilTheNextProbe holds that in the first two seconds
// calls wait as long as they may, and later no longer than until the next probe has
// failed; a few that come just after one are refused at once.
func TestALongOutageIsWaitedForUntilTheNextProbe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		server := goneFor(time.Hour)
		r.open()
		longest, waited := time.Duration(0), 0
		var mu sync.Mutex
		var wg sync.WaitGroup
		began := time.Now()
		for i := range 500 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				came := time.Now()
				err := r.run(pooled(sp.OpExec, server))
				mu.Lock()
				defer mu.Unlock()
				d := time.Since(came)
				longest = max(longest, d)
				if errors.Is(err, breaker.ErrOpen) && d > 0 {
					waited++
					if late := came.Sub(began); late >= 2*time.Second && d > 500*time.Millisecond {
						t.Errorf("a call of the time %v waited for %v", late, d)
					}
				}
			})
		}
		wg.Wait()
		if longest > time.Second {
			t.Errorf("a call waited for %v", longest)
		}
		if waited == 0 {
			t.Error("no call waited")
		}
	})
}

// TestThoseThatWaitGoWhenTheCircuitIsForced holds that the wait in an open circuit
// ends with what is done by hand, and leaves no timer that matters.
func TestThoseThatWaitGoWhenTheCircuitIsForced(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for name, force := range map[string]func(r *rig){
			"closed": func(r *rig) { r.ForceClosed(target) },
			"open":   func(r *rig) { r.ForceOpen(target) },
			"reset":  func(r *rig) { r.Reset(target) },
		} {
			r := recovers(t)
			r.open()
			ended := make(chan error, 1)
			began := time.Now()
			go func() { ended <- r.run(pooled(sp.OpExec, answer(nil))) }()
			time.Sleep(10 * time.Millisecond)
			force(r)
			err := <-ended
			if d := time.Since(began); d != 10*time.Millisecond {
				t.Errorf("%s: the call waited for %v", name, d)
			}
			if refused := errors.Is(err, breaker.ErrOpen); refused != (name == "open") {
				t.Errorf("%s: %v", name, err)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestACallThatWaitsAloneIsTheProbe holds that nobody else has to come for an open
// circuit to be probed.
func TestACallThatWaitsAloneIsTheProbe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		r.open()
		began := time.Now()
		if err := r.run(pooled(sp.OpExec, answer(nil))); err != nil {
			t.Error(err)
		}
		if d := time.Since(began).Round(time.Millisecond); d != 100*time.Millisecond {
			t.Errorf("it waited for %v, want the open time", d)
		}
		r.want(breaker.StateHalfOpen)
	})
}

// TestACallThatQueuesAgainAsksTheCircuitAgain has a server fail anew just after its
// circuit has closed. Calls that waited for that, and still wait to have their
// permit again, are not to reach it one by one.
func TestACallThatQueuesAgainAsksTheCircuitAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const crowd, open = 60, 100 * time.Millisecond
		r := recovers(t, breaker.WithProbes(1), breaker.WithConsecutiveFailures(3))
		r.handler = sp.NewChain(newPermit(), r.Breaker).Then(attach.Perform)
		r.open()
		began := time.Now()
		var reached, answered atomic.Int64
		server := script(func(context.Context, *sp.Call) error {
			time.Sleep(time.Millisecond)
			if n := reached.Add(1); n > 1 && time.Since(began) < open+150*time.Millisecond {
				return errRefused // after the probe, for a while
			}
			answered.Add(1)
			return nil
		})
		var wg sync.WaitGroup
		for range crowd {
			wg.Go(func() {
				if err := r.run(pooled(sp.OpExec, server)); err != nil && !errors.Is(err, errRefused) {
					t.Error(err)
				}
			})
		}
		time.Sleep(open + 50*time.Millisecond)
		r.want(breaker.StateOpen)
		if n := reached.Load(); n != 4 {
			t.Errorf("%d calls reached the server, want the probe and the three that opened the circuit", n)
		}
		wg.Wait()
		if n := answered.Load(); n != reached.Load()-3 || n < crowd-5 {
			t.Errorf("%d of %d calls were answered, %d reached the server", n, crowd, reached.Load())
		}
		r.want(breaker.StateClosed)
	})
}
