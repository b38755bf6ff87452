package breaker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
)

func TestSlowCallsOpenTheCircuitIfAskedTo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithSlowCalls(time.Second, 0.5), breaker.WithMinimumRequests(4), breaker.WithProbes(1))
		slowly := func(err error) {
			call := newCall(sp.OpExec, func(context.Context, *sp.Call) error { time.Sleep(time.Second); return err })
			if got := r.run(call); !errors.Is(got, err) {
				t.Fatal(got)
			}
		}
		r.exec(2, nil)
		slowly(errUnique)
		slowly(errDeadlock) // waited for another transaction
		r.want(breaker.StateClosed)
		if got, want := r.counts(), (breaker.Counts{Successes: 3, Excluded: 1, Slow: 1}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
		slowly(nil)
		r.want(breaker.StateOpen)
		if s := r.status(); s.Cause != fault.ClassNone {
			t.Errorf("slow calls left the cause %v, want none", s.Cause)
		}
		time.Sleep(11 * time.Second)
		slowly(errDeadlock)
		r.want(breaker.StateHalfOpen) // still says nothing
		slowly(nil)
		r.want(breaker.StateOpen) // a slow probe proves that nothing got better
	})
}

func TestTheServersLimitOnASlowStatementCountsOnlyIfAskedTo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		limited := func(r *rig, after time.Duration) {
			_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error { time.Sleep(after); return sqlState("57014") }))
		}
		patient, strict := newRig(t), newRig(t, breaker.WithSlowCalls(time.Second, 1))
		limited(patient, time.Second)
		limited(strict, time.Second-1)
		limited(strict, time.Second)
		if got, want := patient.counts(), (breaker.Counts{Excluded: 1}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
		if got, want := strict.counts(), (breaker.Counts{Failures: 1, Excluded: 1, Slow: 1, ConsecutiveFailures: 1}); got != want {
			t.Errorf("counts with the option are %+v, want %+v", got, want)
		}
	})
}

func TestDeadlinesOfSlowCallsCountOnlyIfAskedTo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hang := func(r *rig) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			call := newCall(sp.OpExec, func(ctx context.Context, call *sp.Call) error {
				<-ctx.Done()
				call.Judge(ctx, ctx.Err(), fault.PhaseStatement, fault.ProgressSent)
				return ctx.Err()
			})
			_, err := attach.Run(ctx, call, r.handler)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		patient, strict := newRig(t), newRig(t, breaker.WithSlowCalls(time.Second, 1))
		for range 10 {
			hang(patient)
			hang(strict)
		}
		patient.want(breaker.StateClosed)
		strict.want(breaker.StateOpen)
		if got := strict.status().Cause; got != fault.ClassTimeout {
			t.Errorf("cause is %v, want %v", got, fault.ClassTimeout)
		}
	})
}

func TestTheReaderOfRowsMakesNoCallSlow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithSlowCalls(time.Second, 0.1))
		for _, wait := range []time.Duration{time.Second - 1, time.Second} {
			call := newCall(sp.OpQuery, func(ctx context.Context, call *sp.Call) error { time.Sleep(wait); return rows(ctx, call) })
			_ = r.run(call)
			time.Sleep(time.Hour)
			attach.Finish(call, nil)
			if got, want := r.counts(), (breaker.Counts{Successes: 1, Slow: int64(wait / time.Second)}); got != want {
				t.Errorf("rows that came after %v left the counts %+v, want %+v", wait, got, want)
			}
		}
	})
}

func TestATimeLimitOfThisLibraryIsAFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		r.exec(1, errors.Join(fault.ErrAttemptTimeout, context.DeadlineExceeded))
		if got, want := r.counts(), (breaker.Counts{Failures: 1, ConsecutiveFailures: 1}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}
