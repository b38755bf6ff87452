package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// model is a breaker as one would explain it: it remembers every call and
// computes nothing before it is asked.
type model struct {
	buckets     int
	period      time.Duration
	rate        float64
	minimum     int
	consecutive int
	probes      int
	firstOpen   time.Duration
	openTime    time.Duration
	lease       time.Duration

	now      time.Duration
	state    breaker.State
	openedAt time.Duration
	until    time.Duration // when an open circuit may be probed
	times    int           // how often the open time was doubled
	closedAt time.Duration
	outcomes []outcome // since the circuit closed
	streak   int
	proofs   int          // of successful probes
	running  []*modelCall // probes under way
}

// outcome is how a call ended, and when.
type outcome struct {
	at   time.Duration
	kind byte // 'S', 'F' or 'X'
}

// modelCall is a call under way.
type modelCall struct {
	phase int
	probe bool
	since time.Duration
	end   chan error // of the real call
	done  chan struct{}
}

// window returns the outcomes that still count.
func (m *model) window() (s, f int) {
	for _, o := range m.outcomes {
		if o.at/m.period <= m.now/m.period-time.Duration(m.buckets) {
			continue
		}
		switch o.kind {
		case 'S':
			s++
		case 'F':
			f++
		}
	}
	return s, f
}

// change puts the model into a state.
func (m *model) change(to breaker.State, phase *int) {
	*phase++
	if to == breaker.StateOpen {
		if m.state == breaker.StateClosed && m.now-m.closedAt > 4*m.openTime {
			m.times = 0
		}
		open := min(m.firstOpen<<m.times, m.openTime)
		if open < m.openTime {
			m.times++
		}
		m.until = m.now + open
	}
	if to == breaker.StateClosed {
		m.closedAt = m.now
	}
	m.state, m.openedAt = to, m.now
	m.outcomes, m.streak, m.proofs, m.running = nil, 0, 0, nil
}

// admit says whether a call is let through, and whether as a probe.
func (m *model) admit(phase *int) (ok, probe bool) {
	if m.state == breaker.StateOpen {
		if m.now <= m.until {
			return false, false
		}
		m.change(breaker.StateHalfOpen, phase)
	}
	if m.state == breaker.StateClosed {
		return true, false
	}
	full := func() bool { return len(m.running) > m.proofs || m.proofs+len(m.running) >= m.probes }
	if full() {
		m.running = slices.DeleteFunc(m.running, func(c *modelCall) bool { return m.now >= c.since+m.lease })
	}
	return !full(), true
}

// end tells the model how a call ended.
func (m *model) end(c *modelCall, kind byte, phase *int) {
	if c.phase != *phase {
		return
	}
	if c.probe {
		m.endProbe(c, kind, phase)
		return
	}
	m.outcomes = append(m.outcomes, outcome{m.now, kind})
	switch kind {
	case 'S':
		m.streak = 0
	case 'F':
		m.streak++
		s, f := m.window()
		if m.streak >= m.consecutive || s+f >= m.minimum && float64(f) >= m.rate*float64(s+f) {
			m.change(breaker.StateOpen, phase)
		}
	}
}

func (m *model) endProbe(c *modelCall, kind byte, phase *int) {
	i := slices.Index(m.running, c)
	if i < 0 {
		return // lost its place
	}
	m.running = slices.Delete(m.running, i, i+1)
	switch kind {
	case 'S':
		if m.proofs++; m.proofs == m.probes {
			m.change(breaker.StateClosed, phase)
		}
	case 'F':
		m.change(breaker.StateOpen, phase)
	}
}

// kinds maps what the model knows to an error that means it.
var kinds = map[byte]error{'S': nil, 'F': errRefused, 'X': context.Canceled}

// modelStep is one thing that happens.
type modelStep struct {
	what string
	kind byte          // how a call ends
	wait time.Duration // how much time passes
	call int           // which call ends
}

func drawStep(rt *rapid.T) modelStep {
	return modelStep{
		what: rapid.SampledFrom([]string{"begin", "end", "begin", "end", "wait"}).Draw(rt, "what"),
		kind: rapid.SampledFrom([]byte("FSFX")).Draw(rt, "kind"),
		wait: time.Duration(rapid.IntRange(0, 3000).Draw(rt, "wait")) * time.Millisecond,
		call: rapid.IntRange(0, 7).Draw(rt, "call"),
	}
}

func TestItBehavesAsItsModelDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			closedAt: -time.Hour,

			buckets:     rapid.IntRange(1, 4).Draw(rt, "buckets"),
			period:      time.Duration(rapid.IntRange(1, 1000).Draw(rt, "period")) * time.Millisecond,
			rate:        float64(rapid.IntRange(1, 100).Draw(rt, "rate")) / 100,
			minimum:     rapid.IntRange(1, 8).Draw(rt, "minimum"),
			consecutive: rapid.IntRange(1, 8).Draw(rt, "consecutive"),
			probes:      rapid.IntRange(1, 8).Draw(rt, "probes"),
			firstOpen:   time.Duration(rapid.IntRange(1, 500).Draw(rt, "first open time")) * time.Millisecond,
			openTime:    time.Duration(rapid.IntRange(1, 2000).Draw(rt, "open time")) * time.Millisecond,
			lease:       time.Duration(rapid.IntRange(1, 3000).Draw(rt, "lease")) * time.Millisecond,
		}
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 100, 300).Draw(rt, "steps")
		failure := ""
		synctest.Test(t, func(t *testing.T) { failure = m.compare(t, steps) })
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

// compare takes the steps in the model and in a breaker, and says where they
// differ.
func (m *model) compare(t *testing.T, steps []modelStep) (failure string) {
	r := newRig(t, breaker.WithWindow(m.buckets, m.period), breaker.WithFailureRate(m.rate),
		breaker.WithMinimumRequests(m.minimum), breaker.WithConsecutiveFailures(m.consecutive),
		breaker.WithProbes(m.probes), breaker.WithFirstOpenTime(m.firstOpen), breaker.WithOpenTime(m.openTime), breaker.WithProbeLease(m.lease))
	r.exec(1, context.Canceled) // makes the circuit
	var calls []*modelCall
	phase := 0
	defer func() {
		for _, c := range calls {
			c.finish(nil)
		}
	}()
	for i := 0; i < len(steps) && failure == ""; i++ {
		switch step := steps[i]; {
		case step.what == "wait":
			time.Sleep(step.wait)
			m.now += step.wait
		case step.what == "begin":
			admitted := r.Admit(t.Context(), newCall(sp.OpExec, nil)) == nil
			ok, probe := m.admit(&phase)
			if shut := m.state == breaker.StateOpen; admitted == shut {
				return fmt.Sprintf("step %d: call admitted: %t, want %t", i, admitted, ok)
			}
			c := &modelCall{phase: phase, probe: probe, since: m.now, end: make(chan error), done: make(chan struct{})}
			started := c.start(r)
			if started {
				calls = append(calls, c)
			}
			if started != ok {
				return fmt.Sprintf("step %d: call let through: %t, want %t", i, started, ok)
			}
			if ok && probe {
				m.running = append(m.running, c)
			}
		case len(calls) > 0:
			n := step.call % len(calls)
			c := calls[n]
			calls = slices.Delete(calls, n, n+1)
			c.finish(kinds[step.kind])
			m.end(c, step.kind, &phase)
		}
		failure = m.differs(r, i)
	}
	return failure
}

// start begins the real call, and reports whether it was let through.
func (c *modelCall) start(r *rig) bool {
	running := make(chan bool, 1)
	go func() {
		err := r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error {
			running <- true
			return <-c.end
		}))
		if errors.Is(err, breaker.ErrOpen) {
			running <- false
		}
		close(c.done)
	}()
	return <-running
}

// finish ends the real call.
func (c *modelCall) finish(err error) {
	c.end <- err
	<-c.done
}

// differs says in what the breaker is not as the model.
func (m *model) differs(r *rig, step int) string {
	got := r.status()
	state := m.state
	if state == breaker.StateOpen && m.now > m.until {
		state = breaker.StateHalfOpen
	}
	if got.State != state {
		return fmt.Sprintf("step %d: state is %v, want %v", step, got.State, state)
	}
	if m.state != breaker.StateClosed {
		return ""
	}
	s, f := m.window()
	want := breaker.Counts{Successes: int64(s), Failures: int64(f), Excluded: got.Counts.Excluded, ConsecutiveFailures: int64(m.streak)}
	if got.Counts != want {
		return fmt.Sprintf("step %d: counts are %+v, want %+v", step, got.Counts, want)
	}
	return ""
}
