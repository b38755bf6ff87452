package breaker_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
)

func TestTheRateOfFailuresOpensTheCircuit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(0), breaker.WithFailureRate(0.5), breaker.WithMinimumRequests(20))
		for range 9 {
			r.exec(1, nil)
			r.exec(1, errRefused)
		}
		r.exec(1, errRefused)
		r.want(breaker.StateClosed) // 10 of 19: too few to say
		r.exec(1, nil)
		r.want(breaker.StateClosed) // 10 of 20: but no success opens it
		r.exec(2, nil)
		r.exec(1, errRefused)
		r.want(breaker.StateClosed) // 11 of 23: below the rate
		r.exec(1, errRefused)
		r.want(breaker.StateOpen) // 12 of 24
	})
}

func TestFailuresBelowTheRateDoNot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithFailureRate(0.5), breaker.WithMinimumRequests(1))
		for range 500 {
			r.exec(3, nil)
			r.exec(2, errRefused)
		}
		r.want(breaker.StateClosed)
	})
}

func TestFailuresLeaveTheWindow(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(0), breaker.WithMinimumRequests(10), breaker.WithWindow(10, time.Second))
		r.exec(9, errRefused)
		time.Sleep(9 * time.Second)
		if got := r.counts().Failures; got != 9 {
			t.Errorf("after 9 s the window holds %d failures, want 9", got)
		}
		time.Sleep(time.Second)
		if got := r.counts(); got.Failures != 0 || got.ConsecutiveFailures != 9 {
			t.Errorf("after 10 s the window holds %+v, want no failure but 9 in a row", got)
		}
		r.exec(9, errRefused)
		r.want(breaker.StateClosed)
		r.exec(1, errRefused)
		r.want(breaker.StateOpen)
	})
}

func TestFailuresInARowOpenTheCircuitHoweverSlowly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(5))
		r.exec(4, errRefused)
		r.exec(1, errUnique) // the server works
		for range 4 {
			time.Sleep(time.Minute)
			r.exec(1, errRefused)
			r.exec(1, errDeadlock) // says nothing
		}
		r.want(breaker.StateClosed)
		time.Sleep(time.Hour)
		r.exec(1, errRefused)
		r.want(breaker.StateOpen)
	})
}

func TestAnOpenCircuitRefusesAndSaysWhy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithOpenTime(10*time.Second))
		r.open()
		time.Sleep(4 * time.Second)
		var events []sp.Event
		call := newCall(sp.OpExec, func(context.Context, *sp.Call) error { t.Error("the call was performed"); return nil })
		call.OnEvent(func(e sp.Event) { events = append(events, e) })
		err := r.run(call)
		got, want := *openError(t, err), breaker.OpenError{
			Target: "postgresql://db:5432/app", State: breaker.StateOpen,
			RetryAfter: 6 * time.Second, Cause: fault.ClassConnect,
		}
		if got != want {
			t.Errorf("refusal is %+v, want %+v", got, want)
		}
		if errors.Is(err, driver.ErrBadConn) {
			t.Error("database/sql would repeat the refused call")
		}
		if text := err.Error(); text != "breaker: call to postgresql://db:5432/app: circuit open after connect" {
			t.Error(text)
		}
		if strings.Contains(err.Error(), target.User) {
			t.Error("the refusal names the user")
		}
		if v := call.Verdict(err); v.Retry != fault.RetryNone || v.Breaker != fault.BreakerExclude || v.Class != fault.ClassRejected {
			t.Errorf("verdict on the refusal is %+v", v)
		}
		if len(events) != 1 || events[0].Kind != sp.EventRejected || !errors.Is(events[0].Err, breaker.ErrOpen) {
			t.Errorf("events are %+v, want the refusal", events)
		}
	})
}

func TestProbesThatSucceedCloseTheCircuit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithOpenTime(time.Second), breaker.WithProbes(3))
		r.open()
		time.Sleep(time.Second)
		if !r.refuses() {
			t.Error("the open time includes its last moment")
		}
		time.Sleep(time.Nanosecond)
		r.want(breaker.StateHalfOpen)
		if got := r.status().Since; !got.Equal(time.Now().Add(-time.Second - 1)) {
			t.Errorf("asking for the state made a change at %v", got)
		}
		r.exec(1, nil)
		r.exec(1, errUnique)   // an answer
		r.exec(1, errDeadlock) // an answer too
		r.want(breaker.StateClosed)
		if got := r.counts(); got != (breaker.Counts{}) {
			t.Errorf("a circuit that has just closed holds %+v", got)
		}
	})
}

func TestAProbeThatFailsOpensTheCircuitAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithOpenTime(time.Second), breaker.WithProbes(3))
		r.open()
		time.Sleep(time.Second + 1)
		r.exec(2, nil)
		r.want(breaker.StateHalfOpen)
		r.exec(1, errRefused)
		r.want(breaker.StateOpen)
		if s := r.status(); s.Cause != fault.ClassConnect || s.RetryAfter != time.Second {
			t.Errorf("status is %+v, want a fresh open time and the probe's cause", s)
		}
	})
}

func TestAProbeThatProvesNothingGivesItsPlaceBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithOpenTime(time.Second), breaker.WithProbes(1))
		r.open()
		time.Sleep(time.Second + 1)
		for _, err := range []error{context.Canceled, errStrange, fault.ErrPoolTimeout, fault.ErrRejected} {
			r.exec(10, err)
			r.want(breaker.StateHalfOpen)
		}
		if err := r.run(newCall(sp.OpAcquire, answer(nil))); err != nil {
			t.Fatal(err)
		}
		r.want(breaker.StateHalfOpen) // the connection may have lain in the pool for long
		r.exec(1, nil)
		r.want(breaker.StateClosed)
	})
}

func TestWhatBeganBeforeAChangeDoesNotCountAfterIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithOpenTime(time.Second), breaker.WithProbes(1), breaker.WithMinimumRequests(1))
		query := newCall(sp.OpQuery, rows)
		_ = r.run(query)
		slow := newCall(sp.OpExec, func(context.Context, *sp.Call) error {
			r.open()
			time.Sleep(time.Second + 1)
			r.exec(1, nil)
			return errRefused
		})
		_ = r.run(slow)
		attach.Finish(query, errRefused)
		r.want(breaker.StateClosed)
		if got := r.counts(); got != (breaker.Counts{}) {
			t.Errorf("counts are %+v, want none", got)
		}
	})
}

func TestAQueryCountsWhenItsRowsAreClosed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		good, bad, left := newCall(sp.OpQuery, rows), newCall(sp.OpQuery, rows), newCall(sp.OpQuery, rows)
		for _, call := range []*sp.Call{good, bad, left} {
			_ = r.run(call)
		}
		if got := r.counts(); got != (breaker.Counts{}) {
			t.Errorf("with all rows open, counts are %+v", got)
		}
		attach.Finish(good, nil)
		attach.Finish(bad, errRefused)
		attach.Finish(left, context.Canceled)
		want := breaker.Counts{Successes: 1, Failures: 1, Excluded: 1, ConsecutiveFailures: 1}
		if got := r.counts(); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}

func TestABeginCountsWhenItReturns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		begin := newCall(sp.OpBegin, rows)
		_ = r.run(begin)
		if got := r.counts().Successes; got != 1 {
			t.Errorf("after BEGIN %d successes are counted, want 1", got)
		}
		attach.Finish(begin, errRefused)
		if got, want := r.counts(), (breaker.Counts{Successes: 1}); got != want {
			t.Errorf("after the transaction counts are %+v, want %+v", got, want)
		}
	})
}

func TestAdmitTellsWhatWouldBeRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithOpenTime(3*time.Second), breaker.WithProbes(1), breaker.WithProbeLease(5*time.Second))
		chain := sp.NewChain(r.Breaker)
		admitted := func(op sp.Op) bool {
			err := chain.Admit(t.Context(), newCall(op, answer(nil)))
			return err == nil || openError(t, err) == nil
		}
		if !admitted(sp.OpExec) {
			t.Error("refused before anything failed")
		}
		r.open()
		if admitted(sp.OpExec) || !admitted(sp.SessionOp("flush")) || chain.Admit(t.Context(), pooled(sp.OpExec, nil)) != nil {
			t.Error("in a brief outage calls that may wait are to be admitted, and no others")
		}
		time.Sleep(2 * time.Second)
		if admitted(sp.OpExec) || admitted(sp.OpTransaction) || admitted(sp.SessionOp("flush")) || !admitted(sp.OpCommit) || !admitted(sp.OpRollback) {
			t.Error("an open circuit has to refuse all but the end of a transaction")
		}
		time.Sleep(time.Second + 1)
		for range 3 {
			if !admitted(sp.OpExec) {
				t.Error("asking took the probe")
			}
		}
		hanging := newCall(sp.OpExec, func(context.Context, *sp.Call) error {
			if !admitted(sp.OpExec) || !admitted(sp.OpTransaction) {
				t.Error("a call that would have to wait for the probe is refused before")
			}
			time.Sleep(5 * time.Second)
			if !admitted(sp.OpExec) {
				t.Error("refused though the probe's lease is over")
			}
			return nil
		})
		if err := r.run(hanging); err != nil {
			t.Error(err)
		}
		r.want(breaker.StateClosed)
	})
}

// TestAVerifierPassesAnOpenCircuit holds that what became of a COMMIT is asked of
// an ill database, unless its circuit was opened by hand.
func TestAVerifierPassesAnOpenCircuit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		verifier := func() error {
			call := newCall(sp.OpQuery, answer(nil))
			attach.Bind(sp.WithVerifying(context.Background()), call)
			if err := r.Admit(context.Background(), call); err != nil {
				return err
			}
			return r.run(call)
		}
		r.open()
		if err := verifier(); err != nil || !r.refuses() {
			t.Errorf("the verifier got %v", err)
		}
		r.ForceOpen(target)
		if err := verifier(); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("the verifier got %v from a circuit that was opened by hand", err)
		}
	})
}
