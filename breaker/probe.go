package breaker

import (
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy"
)

// probe is a call let through a half-open circuit. Its fields are guarded by
// the circuit's mu.
type probe struct {
	phase *phase
	owner *sessionproxy.Call // the unit of work it is kept for, whose first statement takes it; or nil
	lease time.Duration      // when another call may have its place
	done  func(error)        // gobreaker's; nil once called
}

// grant says how an admitted call is performed: as a probe, as one that counts
// in a phase, or, if both are nil, without being counted; or that it has to
// wait.
type grant struct {
	probe *probe
	phase *phase
	wait  *waiter
}

// admit admits or refuses a call that came when the circuit was not counting, or
// makes it wait if it may. While the circuit is open it takes no lock.
func (c *circuit) admit(call *sessionproxy.Call, r rule, wait bool) (grant, *OpenError) {
	p, now := c.phase.Load(), c.cfg.now()
	switch {
	case p.shut(now) && !c.soon(p, now):
		return grant{}, c.refusal(p, now)
	case r == ruleEarly && (call.Op != sessionproxy.OpTransaction || call.Scope != sessionproxy.ScopePool):
		return grant{}, nil
	}
	c.mu.Lock()
	defer c.leave(call)
	var owner *sessionproxy.Call
	if r == ruleEarly {
		owner = call
	} else if pr := c.keptFor(call.Unit()); pr != nil {
		return grant{probe: pr}, nil
	}
	full := len(c.waiters) > 0
	if !full {
		var g grant
		var refusal *OpenError
		if g, full, refusal = c.enter(now, owner); !full {
			return g, refusal
		}
	}
	if !wait || !c.mayWait(call) {
		return grant{}, c.refusal(c.phase.Load(), now)
	}
	return grant{wait: c.line(owner)}, nil
}

// keptFor returns the place that is kept for a unit of work, or nil. The caller
// holds mu.
func (c *circuit) keptFor(unit *sessionproxy.Call) *probe {
	if unit == nil {
		return nil
	}
	if i := slices.IndexFunc(c.probes, func(p *probe) bool { return p.owner == unit }); i >= 0 {
		return c.probes[i]
	}
	return nil
}

// enter asks for a probe's place, to be kept for a unit of work if owner is not
// nil. full says that there is none, and is one soon. The caller holds mu.
func (c *circuit) enter(now time.Duration, owner *sessionproxy.Call) (g grant, full bool, refusal *OpenError) {
	p := c.phase.Load()
	switch p.state {
	case StateClosed, StateForcedClosed:
		if owner != nil {
			p = nil // its statements are counted
		}
		return grant{phase: p}, false, nil
	case StateDisabled:
		return grant{}, false, nil
	case StateHalfOpen:
		if c.crowded() && !c.reclaim(now) {
			return grant{}, true, nil
		}
	default:
		switch {
		case c.soon(p, now) && p.shut(now):
			return grant{}, true, nil
		case p.shut(now):
			return grant{}, false, c.refusal(p, now)
		}
	}
	done, err := c.gate.Allow()
	p = c.phase.Load() // the gate may have made it half-open
	if err != nil {
		return grant{}, true, nil
	}
	pr := &probe{phase: p, owner: owner, lease: now + c.cfg.lease, done: done}
	c.probes = append(c.probes, pr)
	return grant{probe: pr}, false, nil
}

// crowded reports whether as many probes are under way as may be: one, and one
// more for each that succeeded, so that the door opens in steps of 1, 2, 4 and
// so on; and no more than have to succeed. The caller holds mu.
func (c *circuit) crowded() bool {
	counts := c.gate.Counts()
	return len(c.probes) > int(counts.TotalSuccesses) || counts.Requests-counts.TotalExclusions >= c.cfg.probes
}

// reclaim takes their places from probes whose lease is over, and reports
// whether there was one. The caller holds mu.
func (c *circuit) reclaim(now time.Duration) bool {
	n := len(c.probes)
	c.probes = slices.DeleteFunc(c.probes, func(p *probe) bool {
		if now < p.lease {
			return false
		}
		p.finish(errExcluded)
		return true
	})
	return len(c.probes) < n
}

// finish tells gobreaker the probe's outcome, once.
func (p *probe) finish(err error) {
	if done := p.done; done != nil {
		p.done = nil
		done(err)
	}
}

// maxStale is how many probes of a half-open circuit may find their connection
// lost before that is a failure: more than most pools have connections from
// before an outage. Without it, a server that drops every connection after it has
// accepted it would keep the circuit half-open for ever.
const maxStale = 100

// endProbe ends a probe with its outcome, unless its lease or its phase is over.
func (c *circuit) endProbe(call *sessionproxy.Call, p *probe, v verdict) {
	c.mu.Lock()
	defer c.leave(call)
	if c.phase.Load() != p.phase {
		return
	}
	i := slices.Index(c.probes, p)
	if i < 0 { // its lease is over, or its unit's first statement has ended it
		return
	}
	c.probes = slices.Delete(c.probes, i, i+1)
	if v.broken {
		if c.stale++; c.stale > maxStale {
			v.outcome = failed
		}
	}
	switch v.outcome {
	case succeeded:
		p.finish(nil)
	case failed:
		c.cause = v.class
		p.finish(errFailed)
	default:
		p.finish(errExcluded)
	}
}

// wouldRefuse returns the error with which a call would be refused now. One that
// may have to wait for the outcome of a probe is not.
func (c *circuit) wouldRefuse(call *sessionproxy.Call) *OpenError {
	p, now := c.phase.Load(), c.cfg.now()
	if !p.shut(now) || c.soon(p, now) && (call.Level == sessionproxy.LevelSession || c.mayWait(call)) {
		return nil
	}
	return c.refusal(p, now)
}

func (c *circuit) refusal(p *phase, now time.Duration) *OpenError {
	return &OpenError{Target: c.identity().name, State: p.state, RetryAfter: p.wait(now), Cause: p.cause}
}
