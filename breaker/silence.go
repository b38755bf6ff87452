package breaker

import (
	"sync"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// A server that hangs answers nothing: no statement, and no connect either. Its
// callers see their own deadlines end, of which each by itself may mean an
// impatient caller, or a lock that others hold. So a deadline is a failure if a
// call was given up some time ago that the server had been asked to do, and
// nothing has been answered since.

const (
	// silence is how long the server has to have said nothing.
	silence = time.Second
	// patient is for how long a circuit has to have been half-open for a probe to
	// prove by its caller's deadline that the server still hangs.
	patient = silence / 4
)

// listen makes a failure of a call that was given up while the server says
// nothing, and notes when that began.
func (c *circuit) listen(call *sessionproxy.Call, err error, w *window, v *verdict, now time.Duration) {
	if err == nil || v.outcome != excluded {
		return
	}
	f := call.Verdict(err)
	since := time.Duration(w.silent.Load())
	switch {
	case f.Answered:
		w.heard()
	case !givenUp(f):
	case since == 0 && c.asked(call, f, now):
		w.silent.CompareAndSwap(0, int64(max(now, 1)))
	case since != 0 && now-since >= silence:
		v.outcome, v.class = failed, fault.ClassTimeout
	}
}

// givenUp reports whether a caller's time ended without an answer, while it
// waited for the server or for a connection.
func givenUp(v fault.Verdict) bool {
	return (v.Class == fault.ClassTimeout || v.Class == fault.ClassPoolTimeout) && !v.Answered
}

// asked reports whether a call that was given up waited for the server, and not
// merely for a connection that others had: it had been sent, it was making a
// connection, or a connection has been in the making for long.
func (c *circuit) asked(call *sessionproxy.Call, v fault.Verdict, now time.Duration) bool {
	return v.Outcome != fault.OutcomeNotSent || call.Op == sessionproxy.OpConnect || c.dials.longest(now) >= silence
}

// heard notes that the server has answered.
func (c *circuit) heard() {
	if w := c.phase.Load().window; w != nil {
		w.heard()
	}
}

// hung reports whether the circuit was opened by limits on time, so that its
// probes may take long.
func (p *phase) hung() bool {
	return p.cause == fault.ClassTimeout || p.cause == fault.ClassAttemptTimeout
}

// dials are the connects under way.
type dials struct {
	mu    sync.Mutex
	since map[*sessionproxy.Call]time.Duration // when they began
}

func (d *dials) begin(call *sessionproxy.Call, now time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since == nil {
		d.since = make(map[*sessionproxy.Call]time.Duration)
	}
	d.since[call] = now
}

func (d *dials) end(call *sessionproxy.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.since, call)
}

// longest returns how long the one that began first has been under way.
func (d *dials) longest(now time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var longest time.Duration
	for _, since := range d.since {
		longest = max(longest, now-since)
	}
	return longest
}
