package breaker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// waiter is a call that waits for a probe's place. Its fields are guarded by
// the circuit's mu until ready is closed.
type waiter struct {
	ready   chan struct{}
	owner   *sessionproxy.Call // the unit of work that a place is kept for; nil: the call is the probe
	grant   grant
	refusal *OpenError
}

// mayWait reports whether a call may wait at all: not one that has a connection,
// which others may need.
func (c *circuit) mayWait(call *sessionproxy.Call) bool {
	return c.cfg.maxWait > 0 && call.Scope == sessionproxy.ScopePool && !call.Marks.Verifying
}

// line makes a call wait. If as many wait as may, the one that has waited longest is
// refused: its caller is the next to leave anyway. The caller holds mu.
func (c *circuit) line(owner *sessionproxy.Call) *waiter {
	w := &waiter{ready: make(chan struct{}), owner: owner}
	if len(c.waiters) >= c.cfg.maxWaiting {
		first := c.waiters[0]
		c.remove(0)
		first.refusal = c.refusal(c.phase.Load(), c.cfg.now())
		close(first.ready)
	}
	c.waiters = append(c.waiters, w)
	return w
}

// serve gives places to the calls that wait, in their order, as far as there
// are any; once the circuit is closed, or open again, it answers all of them.
// The caller holds mu.
func (c *circuit) serve() {
	for len(c.waiters) > 0 {
		i := 0
		if c.phase.Load().hung() && c.gate.Counts().TotalSuccesses == 0 {
			i = len(c.waiters) - 1 // its caller has the most patience left
		}
		w := c.waiters[i]
		g, full, refusal := c.enter(c.cfg.now(), w.owner)
		if full {
			return
		}
		c.remove(i)
		w.grant, w.refusal = g, refusal
		close(w.ready)
	}
}

// leaveLine takes w out of the line, and reports whether it still was in it.
func (c *circuit) leaveLine(w *waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.waiters, w)
	if i < 0 {
		return false
	}
	c.remove(i)
	return true
}

// remove takes the waiter at i out of the line. The caller holds mu.
func (c *circuit) remove(i int) {
	if i == 0 {
		c.waiters[0] = nil
		c.waiters = c.waiters[1:]
		return
	}
	c.waiters = slices.Delete(c.waiters, i, i+1)
}

// admitted admits or refuses a call, which may wait. When it goes on it has taken
// again what it had given back, for which it may have waited in turn; so what was
// granted is asked for once more, but for a probe's place, which was kept.
func (l *link) admitted(ctx context.Context, call *sessionproxy.Call, c *circuit, r rule) (g grant, refusal *OpenError, err error) {
	left := c.cfg.maxWait
	for {
		if g, refusal = c.admit(call, r, left > 0); g.wait == nil {
			return g, refusal, nil
		}
		if g, refusal, err = l.await(ctx, call, c, g.wait, &left); err != nil || refusal != nil || c.keeps(g.probe) {
			return g, refusal, err
		}
	}
}

// keeps reports whether a probe still has its place.
func (c *circuit) keeps(p *probe) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p != nil && slices.Contains(c.probes, p)
}

// await waits for w's turn as long as is left, from which it takes the time, and
// gives back what call holds meanwhile. Its error is about the caller's context,
// or about what was given back.
func (l *link) await(ctx context.Context, call *sessionproxy.Call, c *circuit, w *waiter, left *time.Duration) (g grant, refusal *OpenError, err error) {
	start := c.cfg.now()
	err = call.Wait(ctx, func(ctx context.Context) error {
		timer := time.NewTimer(*left)
		defer timer.Stop()
		defer func() { *left -= c.cfg.now() - start }()
		select {
		case <-w.ready:
		case <-timer.C:
			if c.leaveLine(w) {
				refusal = c.refusal(c.phase.Load(), c.cfg.now())
				return refusal
			}
		case <-ctx.Done():
			if c.leaveLine(w) {
				return fmt.Errorf("breaker: wait for a probe of %s: %w", c.identity().name, context.Cause(ctx))
			}
		}
		<-w.ready
		if refusal = w.refusal; refusal != nil {
			return refusal
		}
		return nil
	})
	call.Event(sessionproxy.Event{Kind: sessionproxy.EventQueued, Delay: c.cfg.now() - start, Detail: "breaker"})
	switch {
	case err == nil:
		return w.grant, nil, nil
	case refusal != nil:
		return grant{}, refusal, nil
	case w.grant.probe != nil: // what call held could not be taken again
		c.endProbe(call, w.grant.probe, verdict{})
	}
	if ctx.Err() != nil {
		call.Judge(ctx, err, fault.PhaseAcquire, fault.ProgressUnsent)
	}
	return grant{}, nil, err
}
