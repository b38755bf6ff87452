package breaker

import (
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// brevity is how long an outage counts as brief, in terms of the time that a
// call waits at most. Most outages are restarts and promotions, which take less.
const brevity = 2

// brief reports whether calls wait while the circuit is open, whatever becomes of
// the next probe: the outage has only just begun, and the server is gone.
func (c *circuit) brief(p *phase, now time.Duration) bool {
	return p.gone() && now-p.began < brevity*c.cfg.maxWait
}

// soon reports whether calls wait while the circuit is open: the outage is brief,
// or they came in time for the next probe, which nine in ten do. They wait for its
// outcome, since the server may be back already, and not for the one after it.
// A server that hangs answers the probe under way as soon as it goes on, and one is
// under way nearly all the time; so there calls wait as long as they may.
func (c *circuit) soon(p *phase, now time.Duration) bool {
	switch {
	case p.state != StateOpen:
		return false
	case p.hung():
		return c.cfg.maxWait > 0
	}
	return c.brief(p, now) || p.gone() && p.until-now <= min(c.cfg.maxWait/2, (p.until-p.opened)*9/10)
}

// gone reports whether the circuit is open because the server is not there.
func (p *phase) gone() bool {
	if p.state != StateOpen {
		return false
	}
	switch p.cause {
	case fault.ClassConnect, fault.ClassConnectionLost, fault.ClassServerDown:
		return true
	}
	return false
}

// alarm sets a timer by which one of the calls that wait becomes the probe when
// the open time is over; nobody else may come. Where the breaker probes by
// itself, the outcome of that wakes them. The caller holds mu.
func (c *circuit) alarm() {
	p := c.phase.Load()
	if len(c.waiters) == 0 || p.state != StateOpen || c.alarmed == p || c.cfg.prober.active() {
		return
	}
	c.alarmed = p
	time.AfterFunc(p.until-c.cfg.now()+1, func() {
		c.mu.Lock()
		if c.alarmed == p {
			c.alarmed = nil
		}
		c.leave(nil)
	})
}
