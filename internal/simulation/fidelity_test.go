package simulation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/simulation"
)

// judged keeps what the calls of a chain were judged.
type judged struct{ last map[sp.Op]fault.Verdict }

// Wrap returns a handler that keeps the verdict on the error of next.
func (j *judged) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		err := next(ctx, call)
		j.last[call.Op] = call.Verdict(err)
		return err
	}
}

// TestFaultsAreJudgedAsAServersAre holds the simulation to what package fault
// makes of a real server's faults.
func TestFaultsAreJudgedAsAServersAre(t *testing.T) {
	t.Parallel()
	read := simulation.Work{Text: "SELECT 1", Takes: 10 * ms}
	write := simulation.Work{Text: "UPDATE t SET n = 1 WHERE id = 1", Writes: true}
	for name, c := range map[string]struct {
		happens func(s *simulation.Server, at func(time.Duration, func()))
		work    simulation.Work
		op      sp.Op
		want    fault.Class
		breaker fault.Breaker
		outcome fault.Outcome
	}{
		"the server is down": {
			func(s *simulation.Server, _ func(time.Duration, func())) { s.Crash() },
			read, sp.OpConnect, fault.ClassConnect, fault.BreakerFailure, fault.OutcomeNotSent,
		},
		"the server starts": {
			func(s *simulation.Server, _ func(time.Duration, func())) { s.Start() },
			read, sp.OpConnect, fault.ClassServerDown, fault.BreakerFailure, fault.OutcomeNotSent,
		},
		"the server crashes under a statement": {
			func(s *simulation.Server, at func(time.Duration, func())) { at(8*ms, s.Crash) },
			write, sp.OpExec, fault.ClassConnectionLost, fault.BreakerFailure, fault.OutcomeUnknown,
		},
		"the session is ended": {
			func(s *simulation.Server, at func(time.Duration, func())) { at(8*ms, func() { s.Terminate(1) }) },
			write, sp.OpExec, fault.ClassServerDown, fault.BreakerFailure, fault.OutcomeUnknown,
		},
		"the server hangs": {
			func(s *simulation.Server, at func(time.Duration, func())) { at(8*ms, s.Hang) },
			write, sp.OpExec, fault.ClassTimeout, fault.BreakerExclude, fault.OutcomeUnknown,
		},
		"the server is a standby": {
			func(s *simulation.Server, _ func(time.Duration, func())) { s.Standby(true) },
			write, sp.OpExec, fault.ClassReadOnly, fault.BreakerExclude, fault.OutcomeRolledBack,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := &judged{last: map[sp.Op]fault.Verdict{}}
				s := simulation.NewServer(1, 2)
				db := simulation.NewDB(s, 1, sp.NewChain(j))
				c.work.Takes = 10 * ms
				c.happens(s, func(d time.Duration, f func()) { time.AfterFunc(d, f) })
				ctx, cancel := context.WithTimeout(t.Context(), sec)
				defer cancel()
				err := db.Exec(ctx, c.work)
				v := j.last[c.op]
				if err == nil || v.Class != c.want || v.Breaker != c.breaker || v.Outcome != c.outcome {
					t.Errorf("%v is judged %+v", err, v)
				}
				if taken, waiting := db.InUse(); taken != 0 || waiting != 0 {
					t.Errorf("%d connections are taken, %d calls wait", taken, waiting)
				}
				s.Standby(false)
				s.Ready()
				if err := db.Exec(t.Context(), write); err != nil && fault.Of(err, fault.Situation{}).Class != c.want {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

// TestAServerServesInTheOrderOfArrival holds capacity and queue to what they
// are meant to be: exact, in virtual time.
func TestAServerServesInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := simulation.NewDB(simulation.NewServer(2, 10), 10, sp.NewChain())
		began := time.Now()
		ended := make(chan time.Duration, 6)
		for range 6 {
			go func() {
				if err := db.Exec(t.Context(), simulation.Work{Takes: 100 * ms}); err != nil {
					t.Error(err)
				}
				ended <- time.Since(began).Truncate(50 * ms)
			}()
		}
		for i := range 6 {
			if got, want := <-ended, time.Duration(i/2+1)*100*ms; got != want {
				t.Errorf("statement %d has ended after %v, want %v", i+1, got, want)
			}
		}
	})
}
