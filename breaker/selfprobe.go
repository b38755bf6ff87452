package breaker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// ErrClosed is the cause with which [Breaker.Close] cancels a running probe.
var ErrClosed = errors.New("breaker: the breaker is closed")

// prober runs the probes of [WithProbe]: for each circuit that opens a timer,
// and a goroutine while its probe is under way.
type prober struct {
	ping   func(ctx context.Context, target *sessionproxy.Target) error
	ctx    context.Context // the prober's life
	cancel context.CancelCauseFunc
	group  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	timers map[*circuit]*time.Timer
}

func newProber(ping func(ctx context.Context, target *sessionproxy.Target) error) *prober {
	p := &prober{ping: ping, timers: make(map[*circuit]*time.Timer)}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	return p
}

// plan probes c after d, in place of what was planned before.
func (p *prober) plan(c *circuit, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if t := p.timers[c]; t != nil {
		t.Stop()
	}
	p.timers[c] = time.AfterFunc(d+1, func() { p.run(c) })
}

// active reports whether circuits are probed by p, which may be nil.
func (p *prober) active() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed
}

// run probes c until it is closed or open again.
func (p *prober) run(c *circuit) {
	p.mu.Lock()
	delete(p.timers, c)
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.group.Add(1)
	p.mu.Unlock()
	defer p.group.Done()
	for c.probeItself(p) {
	}
}

// close stops all probes and waits for those under way.
func (p *prober) close() {
	p.mu.Lock()
	p.closed = true
	for c, t := range p.timers {
		t.Stop()
		delete(p.timers, c)
	}
	p.mu.Unlock()
	p.cancel(ErrClosed)
	p.group.Wait()
}

// probeItself makes one probe without a caller's statement, if there is a place
// for it, and reports whether another should follow.
func (c *circuit) probeItself(p *prober) (again bool) {
	if now := c.cfg.now(); c.phase.Load().shut(now) || c.evicted.Load() {
		return false
	}
	c.mu.Lock()
	g, full, _ := c.enter(c.cfg.now(), nil)
	c.leave(nil)
	if full || g.probe == nil { // callers are probing it, or it is closed
		return false
	}
	v := verdict{outcome: failed, class: fault.ClassUnknown} // stays if ping panics
	defer func() {
		c.endProbe(nil, g.probe, v)
		again = v.outcome == succeeded && c.phase.Load() == g.probe.phase
	}()
	switch err := c.ping(p); {
	case err == nil:
		v = verdict{outcome: succeeded}
	case p.ctx.Err() != nil:
		v = verdict{}
	default:
		v.class = fault.Of(err, fault.Situation{Phase: fault.PhaseConnect}).Class
	}
	return false // see above
}

// ping calls the user's function, for as long as a probe's lease.
func (c *circuit) ping(p *prober) (err error) {
	ctx, cancel := context.WithTimeout(p.ctx, c.cfg.lease)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("breaker: the function of WithProbe panicked with a %T\n%s", v, debug.Stack())
		}
	}()
	target := c.key
	return p.ping(ctx, &target)
}
