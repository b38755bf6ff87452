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

// pooled returns a statement that takes its connection from a pool.
func pooled(op sp.Op, do script) *sp.Call {
	call := newCall(op, do)
	call.Scope = sp.ScopePool
	return call
}

// takes returns a script that takes some time and ends with err.
func takes(d time.Duration, err error) script {
	return func(context.Context, *sp.Call) error {
		time.Sleep(d)
		return err
	}
}

// recovers returns a rig with the defaults of recovery, but for chance.
func recovers(t testing.TB, opts ...breaker.Option) *rig {
	t.Helper()
	defaults := []breaker.Option{
		breaker.WithFirstOpenTime(100 * time.Millisecond), breaker.WithOpenTime(500 * time.Millisecond),
		breaker.WithProbes(7), breaker.WithProbeLease(2 * time.Second),
	}
	return newRig(t, append(defaults, opts...)...)
}

func TestTheOpenTimeGrowsWhileProbesFailAndStartsAnewAfterAWhile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		outage := func(want ...time.Duration) {
			t.Helper()
			r.open()
			for i, d := range want {
				if got := r.status().RetryAfter; got != d {
					t.Errorf("open time %d is %v, want %v", i+1, got, d)
				}
				time.Sleep(d + 1)
				r.exec(1, errRefused)
			}
			time.Sleep(r.status().RetryAfter + 1)
			r.exec(7, nil)
			r.want(breaker.StateClosed)
		}
		ms := time.Millisecond
		outage(100*ms, 200*ms, 400*ms, 500*ms, 500*ms)
		outage(500 * ms) // it had closed only just now
		time.Sleep(2*time.Second + 1)
		outage(100*ms, 200*ms)
	})
}

func TestTheOpenTimeVariesByUpToAQuarter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t, breaker.WithJitter(func(longest time.Duration) time.Duration { return 2 * longest }))
		r.open()
		if got := r.status().RetryAfter.Round(time.Millisecond); got != 125*time.Millisecond {
			t.Errorf("open for %v, want 125ms", got)
		}
		seen := map[time.Duration]bool{}
		for range 20 {
			r := evenly(t)
			r.open()
			d := r.status().RetryAfter
			if d < time.Second || d >= 1250*time.Millisecond {
				t.Errorf("open for %v", d)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("%d different open times of 20", len(seen))
		}
	})
}

// evenly returns a rig with the default jitter and a first open time of a second.
func evenly(t testing.TB) *rig {
	t.Helper()
	b, err := breaker.New(breaker.WithFirstOpenTime(time.Second), breaker.WithOpenTime(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Breaker: b, t: t, handler: sp.NewChain(b).Then(attach.Perform)}
}

// TestCallsWaitForTheOutcomeOfProbes sends a crowd to a circuit that has just
// become half-open: none is refused, and they get through in steps.
func TestCallsWaitForTheOutcomeOfProbes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		r.open()
		time.Sleep(100*time.Millisecond + 1)
		began := time.Now()
		var mu sync.Mutex
		at := map[time.Duration]int{}
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				err := r.run(pooled(sp.OpExec, func(context.Context, *sp.Call) error {
					mu.Lock()
					at[time.Since(began)]++
					mu.Unlock()
					time.Sleep(10 * time.Millisecond)
					return nil
				}))
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		ms := time.Millisecond
		if at[0] != 1 || at[10*ms] != 2 || at[20*ms] != 4 || at[30*ms] != 33 {
			t.Errorf("calls let through: %v, want 1, 2, 4 and then the rest", at)
		}
		r.want(breaker.StateClosed)
	})
}

func TestCallsThatWaitAreRefusedWhenTheProbeFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		r.open()
		time.Sleep(2 * time.Second) // the outage is not brief any more
		var refused atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if errors.Is(r.run(pooled(sp.OpExec, takes(time.Millisecond, errRefused))), breaker.ErrOpen) {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if refused.Load() != 19 {
			t.Errorf("%d of 19 that waited were refused", refused.Load())
		}
		r.want(breaker.StateOpen)
	})
}

// TestHowLongCallsWait holds the bounds of the wait: the option, the caller's
// context, and none at all for a call that has its connection.
func TestHowLongCallsWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t, breaker.WithMaxWait(300*time.Millisecond))
		r.open()
		time.Sleep(100*time.Millisecond + 1)
		var wg sync.WaitGroup
		wg.Go(func() { r.exec(1, r.run(newCall(sp.OpExec, takes(time.Second, nil)))) })
		time.Sleep(time.Millisecond)

		waits := func(ctx context.Context, call *sp.Call) (time.Duration, error) {
			began := time.Now()
			_, err := attach.Run(ctx, call, r.handler)
			return time.Since(began), err
		}
		if d, err := waits(t.Context(), pooled(sp.OpExec, answer(nil))); d != 300*time.Millisecond || openError(t, err).State != breaker.StateHalfOpen {
			t.Errorf("waited %v: %v", d, err)
		}
		if d, err := waits(t.Context(), newCall(sp.OpExec, answer(nil))); d != 0 || openError(t, err) == nil {
			t.Errorf("a call with a connection waited %v: %v", d, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		call := pooled(sp.OpExec, answer(nil))
		if d, err := waits(ctx, call); d != 50*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, breaker.ErrOpen) {
			t.Errorf("waited %v: %v", d, err)
		}
		wg.Wait()
		// Nothing is left of those that gave up: the next one is let through.
		r.exec(6, nil)
		r.want(breaker.StateClosed)
	})
}

// permit is a limit of one, as far as [sp.Holding] asks.
type permit struct{ free chan struct{} }

func newPermit() *permit {
	p := &permit{make(chan struct{}, 1)}
	p.free <- struct{}{}
	return p
}

func (p *permit) Yield(*sp.Call) { p.free <- struct{}{} }

func (p *permit) Resume(ctx context.Context, _ *sp.Call) error {
	select {
	case <-p.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *permit) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if err := p.Resume(ctx, call); err != nil {
			return err
		}
		call.Hold(p, func(error) { p.Yield(call) })
		return next(ctx, call)
	}
}

// TestACallThatWaitsHoldsNoPermit has one permit only, which the probe needs
// after another call has begun to wait.
func TestACallThatWaitsHoldsNoPermit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t, breaker.WithProbes(2))
		limit := newPermit()
		outer := sp.NewChain(limit, r.Breaker).Then(attach.Perform)
		r.open()
		time.Sleep(100*time.Millisecond + 1)
		var wg sync.WaitGroup
		wg.Go(func() { // the probe, of another chain
			if err := r.run(pooled(sp.OpExec, takes(20*time.Millisecond, nil))); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
		var waited time.Duration
		wg.Go(func() {
			call := pooled(sp.OpExec, answer(nil))
			call.OnEvent(func(e sp.Event) { waited += e.Delay })
			if _, err := attach.Run(t.Context(), call, outer); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
		select {
		case <-limit.free:
			limit.free <- struct{}{}
		default:
			t.Error("a call that waits for a probe keeps its permit")
		}
		wg.Wait()
		if waited == 0 || len(limit.free) != 1 {
			t.Errorf("waited %v; %d permits are free after all", waited, len(limit.free))
		}
	})
}

// TestAUnitKeepsAPlaceForItsBegin lets a unit of work wait, which has no
// connection yet, so that its BEGIN, which may have one, is not refused.
func TestAUnitKeepsAPlaceForItsBegin(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t, breaker.WithProbes(3))
		r.open()
		time.Sleep(100*time.Millisecond + 1)
		unit := func() error {
			return r.run(pooled(sp.OpTransaction, func(ctx context.Context, call *sp.Call) error {
				for _, op := range []sp.Op{sp.OpConnect, sp.OpBegin} {
					inner := newCall(op, takes(5*time.Millisecond, nil))
					attach.Bind(attach.Context(ctx, call), inner)
					if err := r.run(inner); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if err := unit(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		r.want(breaker.StateClosed)
		// A unit that ends without a statement gives its place back.
		r.open()
		time.Sleep(time.Second)
		for range 3 {
			_ = r.run(pooled(sp.OpTransaction, answer(errStrange)))
		}
		r.exec(3, nil)
		r.want(breaker.StateClosed)
	})
}

// TestConnectionsThatBreakAtOneMomentAreOneFailure ends all sessions of a
// healthy server: it takes failed connects to open a circuit.
func TestConnectionsThatBreakAtOneMomentAreOneFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.exec(100, errLost)
		r.want(breaker.StateClosed)
		if got := r.counts(); got.Failures != 1 || got.Excluded != 99 {
			t.Errorf("counts are %+v", got)
		}
		r.exec(9, errRefused)
		r.want(breaker.StateOpen)
	})
	// One a second for long is no moment.
	t.Run("one after the other", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			r := newRig(t)
			for range 10 {
				r.exec(1, errLost)
				time.Sleep(time.Second)
			}
			r.want(breaker.StateOpen)
		})
	})
}

// TestAProbeOnAStaleConnectionProvesNothing recovers with a pool full of
// connections from before the outage.
func TestAProbeOnAStaleConnectionProvesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		r.open()
		time.Sleep(100*time.Millisecond + 1)
		r.exec(20, errLost)
		r.want(breaker.StateHalfOpen)
		r.exec(7, nil)
		r.want(breaker.StateClosed)
		// A server that drops every connection does not keep it half-open.
		r.open()
		time.Sleep(time.Second)
		r.exec(101, errLost)
		r.want(breaker.StateOpen)
	})
}
