package breaker_test

import (
	"context"
	"sync"
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

// TestNobodyWaitsBehindAProbeOfAServerThatHangs lets the server hang and go on:
// the probe's caller pays with its deadline, the others are refused at once, and
// the probe that is answered lets them in.
func TestNobodyWaitsBehindAProbeOfAServerThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := recovers(t)
		for range 25 {
			_ = r.run(givesUp(fault.ProgressUnknown))
			time.Sleep(100 * time.Millisecond)
			if r.State(target) != breaker.StateClosed {
				break
			}
		}
		time.Sleep(100*time.Millisecond + 1)
		hangs := func() *sp.Call {
			return pooled(sp.OpExec, func(ctx context.Context, call *sp.Call) error {
				time.Sleep(time.Second)
				call.Judge(ctx, context.DeadlineExceeded, sp.OpExec.Phase(), fault.ProgressUnknown)
				return context.DeadlineExceeded
			})
		}
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { _ = r.run(hangs()) })
		time.Sleep(time.Millisecond)
		if err := r.run(pooled(sp.OpExec, answer(nil))); openError(t, err) == nil || time.Since(began) != time.Millisecond {
			t.Errorf("waited for %v: %v", time.Since(began), err)
		}
		wg.Wait()
		r.want(breaker.StateOpen) // the probe proved that the server hangs
		time.Sleep(r.status().RetryAfter + 1)
		for range 7 {
			if err := r.run(pooled(sp.OpExec, answer(nil))); err != nil {
				t.Error(err)
			}
		}
		r.want(breaker.StateClosed)
	})
}
