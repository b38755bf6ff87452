package simulation_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
)

// healthy holds that no call is refused from a moment on, and that no circuit
// has opened.
func (w *world) healthy(since time.Time) error {
	for _, o := range w.Outcomes(since, time.Now().Add(1)) {
		if o.Refused() {
			return fmt.Errorf("a healthy server's call is refused: %w", o.Err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changes) > 0 {
		return fmt.Errorf("the circuit is %v by %v", w.changes[0].To, w.changes[0].Cause)
	}
	return nil
}

// TestSessionsThatAreEndedOnceRefuseNobody ends 40 sessions of a healthy server,
// or all of a smaller pool.
func TestSessionsThatAreEndedOnceRefuseNobody(t *testing.T) {
	t.Parallel()
	seeds(t, 24, func(seed uint64) {
		bubble(t, seed, func(w *world) error {
			began := time.Now()
			w.lively(func() {
				w.crowd(w.size - 2)
				w.server.Terminate(40)
				time.Sleep(2 * sec)
			})
			if err := w.healthy(began); err != nil {
				return err
			}
			return w.drained()
		})
	})
}

// crowd makes n calls at once, so that the pool has as many sessions.
func (w *world) crowd(n int) {
	done := make(chan struct{})
	for range n {
		go func() {
			w.Call()
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
}

// TestContentionIsNoOutage has half of the attempts at units of work fail
// by serialization failures: no circuit opens, and the budget that
// guards against outages stays full.
func TestContentionIsNoOutage(t *testing.T) {
	t.Parallel()
	seeds(t, 9, func(seed uint64) {
		bubble(t, seed, func(w *world) error {
			w.Conflicts = 0.5
			began, full := time.Now(), w.budget.Remaining(w.DB.Target())
			w.lively(func() { time.Sleep(5 * sec) })
			if err := w.healthy(began); err != nil {
				return err
			}
			if left := w.budget.Remaining(w.DB.Target()); left != full {
				return fmt.Errorf("the budget is down to %d of %d", left, full)
			}
			conflicts := 0
			for _, o := range w.Outcomes(began, time.Now()) {
				if fault.Code(o.Err) == "40001" {
					conflicts++
				} else if o.Err != nil && fault.Code(o.Err) != "23505" {
					return fmt.Errorf("a call failed: %w", o.Err)
				}
			}
			if conflicts == 0 {
				return errors.New("there was no conflict")
			}
			return w.drained()
		})
	})
}

// TestALongOutageSeesFewRepetitions holds what the budget promises: in an
// outage there are as many repetitions as a full bucket and the successes in
// between pay for.
func TestALongOutageSeesFewRepetitions(t *testing.T) {
	t.Parallel()
	seeds(t, 6, func(seed uint64) {
		bubble(t, seed, func(w *world) error {
			var away, back time.Time
			w.lively(func() {
				away, back = w.outage(w.server.Crash, w.between(20*sec, 60*sec), 0)
				time.Sleep(observed)
			})
			if _, err := w.recovered(away, back); err != nil {
				return err
			}
			w.mu.Lock()
			repeats, opened := w.repeats, len(w.changes) > 0 && w.changes[0].To == breaker.StateOpen
			w.mu.Unlock()
			succeeded := 0
			for _, o := range w.Outcomes(time.Time{}, time.Now()) {
				if o.Err == nil {
					succeeded++
				}
			}
			if !opened || repeats*5 > 500+succeeded {
				return fmt.Errorf("the circuit has opened: %v; %d repetitions after %d successes", opened, repeats, succeeded)
			}
			return w.drained()
		})
	})
}
