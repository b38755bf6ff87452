package breaker

import (
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// brevity is how long an outage counts as brief, in terms of the time that a
// call waits at most. Most outages are restarts and promotions, which take less.
const brevity = 2

// brief reports whether calls wait while the circuit is open: the outage has only
// just begun, and the server is gone. One that hangs would cost its callers their
// time once more.
func (c *circuit) brief(p *phase, now time.Duration) bool {
	if p.state != StateOpen || now-p.began >= brevity*c.cfg.maxWait {
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
