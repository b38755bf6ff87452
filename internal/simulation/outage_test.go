package simulation_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sessionproxy/sessionproxy/breaker"
)

// incident is something that happens to a server. It returns when the server
// went away, and when it was back.
type incident struct {
	name string
	run  func(w *world) (away, back time.Time)
}

var incidents = []incident{
	{"crash", func(w *world) (away, back time.Time) {
		return w.outage(w.server.Crash, w.between(50*ms, 4*sec), w.between(0, 1500*ms))
	}},
	{"restart", func(w *world) (away, back time.Time) {
		return w.outage(w.server.Shutdown, w.between(50*ms, 500*ms), w.between(0, 300*ms))
	}},
	{"failover", func(w *world) (away, back time.Time) {
		away = time.Now()
		w.server.Crash()
		time.Sleep(w.between(200*ms, 3*sec))
		w.server.Standby(true)
		w.server.Ready()
		back = time.Now()
		time.Sleep(w.between(0, 2*sec))
		w.server.Standby(false)
		return away, back
	}},
	{"hang", func(w *world) (away, back time.Time) {
		return w.outage(w.server.Hang, w.between(100*ms, 6*sec), 0)
	}},
	{"flap", func(w *world) (away, back time.Time) {
		for range 2 + w.dice.IntN(3) {
			w.outage(w.server.Crash, w.between(50*ms, 400*ms), 0)
			time.Sleep(w.between(50*ms, 500*ms))
		}
		return w.outage(w.server.Crash, w.between(50*ms, 400*ms), 0)
	}},
	{"brown-out", func(w *world) (away, back time.Time) {
		away = time.Now()
		w.server.SetCapacity(1)
		time.Sleep(w.between(sec, 3*sec))
		w.server.SetCapacity(8)
		return away, time.Now()
	}},
}

const (
	ms  = time.Millisecond
	sec = time.Second
)

// outage ends the server, starts it after a while, and has it ready after
// another.
func (w *world) outage(end func(), down, starting time.Duration) (away, back time.Time) {
	away = time.Now()
	end()
	time.Sleep(down)
	if starting > 0 {
		w.server.Start()
		time.Sleep(starting)
	}
	w.server.Ready()
	return away, time.Now()
}

// perHistory is how many incidents a history has.
const perHistory = 5

// TestOutages holds the bounds on recovery, with the defaults.
func TestOutages(t *testing.T) {
	t.Parallel()
	n := outages
	if os.Getenv("SESSIONPROXY_VERIFY") != "" {
		n = outagesWhole
	}
	slowest := time.Duration(0)
	var gone, hung tally
	t.Attr("name", "with the defaults")
	t.Attr("outages", strconv.Itoa(n))
	seeds(t, n/perHistory, func(seed uint64) {
		bubble(t, seed, func(w *world) (err error) {
			w.lively(func() {
				for i := 0; i < perHistory && err == nil; i++ {
					what := incidents[w.dice.IntN(len(incidents))]
					away, back := what.run(w)
					time.Sleep(max(time.Until(back.Add(observed)), observed/2))
					if after, problem := w.recovered(away, back); problem != nil {
						err = fmt.Errorf("incident %d, %s of %v: %w", i+1, what.name, back.Sub(away), problem)
					} else {
						slowest = max(slowest, after)
						sum := &gone
						if what.name == "hang" {
							sum = &hung
						}
						sum.add(w, what, back, after)
					}
				}
			})
			if err != nil {
				return err
			}
			gone.hedges += w.hedges
			return w.drained()
		})
	})
	t.Attr("slowest-recovery", slowest.Round(ms).String())
	if *seedFlag == 0 && !t.Failed() {
		if gone.hedges == 0 {
			t.Error("nothing was hedged")
		}
		if err := errors.Join(gone.check(), hung.check()); err != nil {
			t.Error(err)
		}
		t.Logf("refused after the return: %d of %d when the server was gone, %d of %d when it hung", gone.refused, gone.calls, hung.refused, hung.calls)
	}
}

// tally is what calls that may wait saw after all returns of servers that were gone
// or hung.
type tally struct {
	calls, refused, hedges int
	back                   []time.Duration
}

func (s *tally) add(w *world, what incident, back time.Time, after time.Duration) {
	if w.OnConn || what.name == "brown-out" {
		return
	}
	s.back = append(s.back, after)
	for _, o := range w.Outcomes(back, back.Add(observed)) {
		if s.calls++; o.Refused() {
			s.refused++
		}
	}
}

// check holds that hardly any of them was refused, from the very moment of the
// return, and that half of the recoveries are quick.
func (s *tally) check() error {
	slices.Sort(s.back)
	median := s.back[len(s.back)/2]
	if median > backMedian || float64(s.refused) > refusedAtMost*float64(s.calls) {
		return fmt.Errorf("%d recoveries, median %v; %d of %d calls were refused", len(s.back), median, s.refused, s.calls)
	}
	return nil
}

// The bounds on recovery, after each incident, and over all of them.
const (
	observed      = 3 * sec
	backWithin    = 750 * ms // the longest open time, a quarter more, and a probe
	backMedian    = 300 * ms
	calmAfter     = sec
	probesPerSec  = 2
	briefly       = 2 * sec // calls wait for so long in the beginning,
	probesBriefly = 5       // with so many probes per second
	refusedAtMost = 0.01
)

// recovered says how long the first success took after the server was back, and
// which bound was not kept.
func (w *world) recovered(away, back time.Time) (after time.Duration, err error) {
	after = observed
	for _, o := range w.Outcomes(back, back.Add(observed)) {
		if o.Err == nil {
			after = o.Ended.Sub(back)
			break
		}
	}
	if after > backWithin {
		return after, fmt.Errorf("the first success came %v after the server was back", after)
	}
	all, refused := 0, 0
	var last error
	for _, o := range w.Outcomes(back.Add(calmAfter), back.Add(observed)) {
		if all++; o.Refused() {
			refused++
			last = o.Err
		}
	}
	if float64(refused) > refusedAtMost*float64(all) {
		return after, fmt.Errorf("%d of %d calls were refused from %v after the server was back: %w", refused, all, calmAfter, last)
	}
	return after, w.fewProbes(away, back)
}

// fewProbes holds how many calls reach a server that is away.
func (w *world) fewProbes(away, back time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	opened := time.Time{}
	for _, c := range w.changes {
		if c.To == breaker.StateOpen && !c.At.Before(away) {
			opened = c.At
			break
		}
	}
	if opened.IsZero() || !opened.Before(back) {
		return nil
	}
	probes := 0
	for _, at := range w.entered {
		if at.After(opened) && at.Before(back) {
			probes++
		}
	}
	brief := min(back.Sub(opened), briefly)
	limit := 3 + probesPerSec*back.Sub(opened).Seconds() + (probesBriefly-probesPerSec)*brief.Seconds()
	if float64(probes) > limit {
		return fmt.Errorf("%d probes in %v", probes, back.Sub(opened))
	}
	return nil
}
