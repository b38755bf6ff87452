package breaker_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
)

// givesUp returns a call that ends with its caller's deadline, having been sent
// or not.
func givesUp(progress fault.Progress) *sp.Call {
	return pooled(sp.OpExec, func(ctx context.Context, call *sp.Call) error {
		call.Judge(ctx, context.DeadlineExceeded, sp.OpExec.Phase(), progress)
		return context.DeadlineExceeded
	})
}

// TestDeadlinesOpenOnlyWhenNothingIsAnswered has callers give up, one each
// 100 ms, while the server is silent, or not.
func TestDeadlinesOpenOnlyWhenNothingIsAnswered(t *testing.T) {
	t.Parallel()
	sent, unsent := fault.ProgressUnknown, fault.ProgressUnsent
	for name, c := range map[string]struct {
		progress fault.Progress
		between  func(r *rig) // happens each 500 ms
		opens    bool
	}{
		"nothing is answered":                {progress: sent, opens: true},
		"calls wait for the pool":            {progress: unsent},
		"others succeed":                     {progress: sent, between: func(r *rig) { r.exec(1, nil) }},
		"others meet a deadlock":             {progress: sent, between: func(r *rig) { r.exec(1, errDeadlock) }},
		"connects succeed":                   {progress: sent, between: func(r *rig) { r.exec1(sp.OpConnect) }},
		"calls that were sent hold the pool": {progress: unsent, between: func(r *rig) { _ = r.run(givesUp(sent)) }, opens: true},
		"a connect is in the making": {progress: unsent, opens: true, between: func(r *rig) {
			go func() { _ = r.run(dialStep(takes(10*time.Second, nil))) }()
		}},
		"a connect that soon succeeds": {progress: unsent, between: func(r *rig) {
			go func() { _ = r.run(dialStep(takes(400*time.Millisecond, nil))) }()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := recovers(t)
				for i := 0; i < 40 && r.State(target) == breaker.StateClosed; i++ {
					if i%5 == 0 && c.between != nil {
						c.between(r)
					}
					_ = r.run(givesUp(c.progress))
					time.Sleep(100 * time.Millisecond)
				}
				if open := r.State(target) != breaker.StateClosed; open != c.opens {
					t.Errorf("opened: %t, want %t", open, c.opens)
				}
				if cause := r.status().Cause; c.opens && cause != fault.ClassTimeout {
					t.Errorf("the cause is %v", cause)
				}
				time.Sleep(10 * time.Second) // the connects end
			})
		})
	}
}

// dialStep is a connect on behalf of a statement.
func dialStep(do script) *sp.Call { return newCall(sp.OpConnect, do) }

// exec1 runs a call of an operation without error.
func (r *rig) exec1(op sp.Op) {
	r.t.Helper()
	if err := r.run(newCall(op, answer(nil))); err != nil {
		r.t.Fatal(err)
	}
}

// hung returns a rig whose server has hung long enough to open the circuit.
func hung(t *testing.T, opts ...breaker.Option) *rig {
	t.Helper()
	r := recovers(t, opts...)
	for range 25 {
		time.Sleep(100 * time.Millisecond)
		if _ = r.run(givesUp(fault.ProgressUnknown)); r.State(target) != breaker.StateClosed {
			break
		}
	}
	r.want(breaker.StateOpen)
	return r
}

// goesOn is a script of a server that answers from a moment on, to callers that
// wait no longer than a second.
func goesOn(at time.Time) script {
	return func(ctx context.Context, call *sp.Call) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		select {
		case <-time.After(time.Until(at)):
			return nil
		case <-ctx.Done():
			call.Judge(ctx, context.DeadlineExceeded, sp.OpExec.Phase(), fault.ProgressUnknown)
			return context.DeadlineExceeded
		}
	}
}

// TestCallsWaitForAServerThatHangs lets calls come all the time while a server
// hangs and goes on. It is probed nearly all the time, by at most two calls a
// second; nobody waits longer than a call may, and none of those that come after the
// return is refused.
func TestCallsWaitForAServerThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const calls, gap, away = 600, 10 * time.Millisecond, 4 * time.Second
		r := hung(t)
		back := time.Now().Add(away)
		server := goesOn(back)
		var mu sync.Mutex
		probes, refused, good := 0, 0, 0
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * gap)
				came := time.Now()
				err := r.run(pooled(sp.OpExec, server))
				mu.Lock()
				defer mu.Unlock()
				switch took := time.Since(came); {
				case took > time.Second+time.Millisecond:
					t.Errorf("a call took %v", took)
				case err == nil:
					good++
				case errors.Is(err, context.DeadlineExceeded):
					probes++
				case !came.Before(back):
					t.Errorf("%v after the return: %v", came.Sub(back), err)
				default:
					refused++
				}
			})
		}
		wg.Wait()
		if most := int(2 * away / time.Second); probes > most || probes < 3 {
			t.Errorf("%d probes failed, want 3 to %d", probes, most)
		}
		if refused == 0 || good < calls*2/6 {
			t.Errorf("%d were refused, %d good", refused, good)
		}
		r.want(breaker.StateClosed)
	})
}

// TestTheProbeOfAServerThatHangsIsTheNewestCall holds that the caller with the most
// patience left is the probe.
func TestTheProbeOfAServerThatHangsIsTheNewestCall(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := hung(t)
		time.Sleep(r.status().RetryAfter - 30*time.Millisecond)
		var first atomic.Int64
		var wg sync.WaitGroup
		for i := range 3 {
			time.Sleep(time.Millisecond)
			wg.Go(func() {
				_ = r.run(pooled(sp.OpExec, func(context.Context, *sp.Call) error {
					first.CompareAndSwap(0, int64(i)+1)
					return nil
				}))
			})
		}
		wg.Wait()
		if first.Load() != 3 {
			t.Errorf("call %d of 3 is the probe", first.Load())
		}
	})
}

// TestAsManyWaitAsMay has more calls come than may wait: the one that has waited
// longest makes room.
func TestAsManyWaitAsMay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const most = 5
		r := hung(t, breaker.WithMaxWaiting(most))
		time.Sleep(r.status().RetryAfter - 30*time.Millisecond)
		var wg sync.WaitGroup
		var refused []int
		var mu sync.Mutex
		for i := range 3 * most {
			time.Sleep(time.Millisecond)
			wg.Go(func() {
				if err := r.run(pooled(sp.OpExec, answer(nil))); err != nil {
					mu.Lock()
					defer mu.Unlock()
					_ = openError(t, err)
					refused = append(refused, i)
				}
			})
		}
		wg.Wait()
		if len(refused) != 2*most || !slices.IsSorted(refused) || refused[0] != 0 || refused[2*most-1] != 2*most-1 {
			t.Errorf("refused are calls %v, want the first %d of %d", refused, 2*most, 3*most)
		}
	})
}
