package breaker

import (
	"errors"
	"slices"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sessionproxy/sessionproxy"
)

// probe is a call let through a half-open circuit. Its fields are guarded by
// the circuit's mu.
type probe struct {
	phase *phase
	lease time.Duration // when another call may have its place
	done  func(error)   // gobreaker's; nil once called
}

// grant says how an admitted call is performed: as a probe, as one that counts
// in a phase, or, if both are nil, without being counted.
type grant struct {
	probe *probe
	phase *phase
}

// admit admits or refuses a call that came when the circuit was not counting.
// While the circuit is open it takes no lock.
func (c *circuit) admit(call *sessionproxy.Call, r rule) (grant, *OpenError) {
	p, now := c.phase.Load(), c.cfg.now()
	switch {
	case p.shut(now):
		return grant{}, c.refusal(p, now)
	case r == ruleEarly:
		return grant{}, nil
	}
	c.mu.Lock()
	defer c.leave(call)
	return c.enter(now)
}

// enter asks the gate for a probe's place. The caller holds mu.
func (c *circuit) enter(now time.Duration) (grant, *OpenError) {
	switch p := c.phase.Load(); p.state {
	case StateClosed, StateForcedClosed:
		return grant{phase: p}, nil
	case StateDisabled:
		return grant{}, nil
	case StateForcedOpen:
		return grant{}, c.refusal(p, now)
	}
	done, err := c.gate.Allow()
	if errors.Is(err, gobreaker.ErrTooManyRequests) && c.reclaim(now) {
		done, err = c.gate.Allow()
	}
	p := c.phase.Load() // the gate may have made it half-open
	if err != nil {
		return grant{}, c.refusal(p, now)
	}
	pr := &probe{phase: p, lease: now + c.cfg.lease, done: done}
	c.probes = append(c.probes, pr)
	return grant{probe: pr}, nil
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

// settle ends a probe with its outcome, unless its lease or its phase is over.
func (c *circuit) settle(call *sessionproxy.Call, p *probe, v verdict) {
	c.mu.Lock()
	defer c.leave(call)
	if c.phase.Load() != p.phase {
		return
	}
	c.probes = slices.DeleteFunc(c.probes, func(q *probe) bool { return q == p })
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

// wouldRefuse returns the error with which a call would be refused now.
func (c *circuit) wouldRefuse(r rule) *OpenError {
	p, now := c.phase.Load(), c.cfg.now()
	if p.shut(now) || p.state == StateHalfOpen && r == ruleCount && c.full(now) {
		return c.refusal(p, now)
	}
	return nil
}

// full reports whether no probe's place is free or can be reclaimed.
func (c *circuit) full(now time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := c.gate.Counts()
	return counts.Requests-counts.TotalExclusions >= c.cfg.probes &&
		!slices.ContainsFunc(c.probes, func(p *probe) bool { return now >= p.lease })
}

func (c *circuit) refusal(p *phase, now time.Duration) *OpenError {
	return &OpenError{Target: c.name, State: p.state, RetryAfter: p.wait(now), Cause: p.cause}
}
