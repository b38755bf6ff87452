package simulation_test

import (
	"testing"
	"time"
)

// TestAThrottledDatabaseKeepsItsGoodput has more calls come than a server has
// room for, which refuses the others for want of connections. A breaker alone
// refuses nearly all of them once it has opened, again and again; with the
// throttle the server goes on at what it can do.
func TestAThrottledDatabaseKeepsItsGoodput(t *testing.T) {
	t.Parallel()
	seeds(t, 3, func(seed uint64) {
		alone, _ := overloaded(t, seed, true)
		throttled, opened := overloaded(t, seed, false)
		if throttled < 3*alone && opened || float64(throttled) < 0.9*float64(alone) {
			t.Errorf("%d calls succeeded with the throttle, %d without\nto see it again: -seed %d", throttled, alone, seed)
		}
	})
}

// overloaded returns how many calls succeeded, and whether the pool is large
// enough to overload the server.
func overloaded(t *testing.T, seed uint64, unthrottled bool) (succeeded int, large bool) {
	t.Helper()
	in := setting{sessions: 6, takes: 20 * time.Millisecond, perSecond: 600, unthrottled: unthrottled}
	bubbleIn(t, seed, in, func(w *world) error {
		large = w.size >= 4*in.sessions
		w.lively(func() {
			time.Sleep(5 * sec)
			began := time.Now()
			time.Sleep(8 * sec)
			for _, o := range w.Outcomes(began, time.Now()) {
				if o.Err == nil {
					succeeded++
				}
			}
		})
		time.Sleep(sec)
		return w.idle()
	})
	return succeeded, large
}
