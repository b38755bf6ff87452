package breaker

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// What gobreaker is told of an outcome.
var (
	errFailed   = errors.New("breaker: failed")
	errExcluded = errors.New("breaker: excluded")
)

// circuit is the breaker of one target. gobreaker's state machine decides when
// it opens, is probed, and closes. It is asked under mu, and told of a failure
// in the closed state only when the window says that the circuit must open:
// until then the closed state needs no lock.
type circuit struct {
	cfg     *config
	key     sessionproxy.Target
	named   atomic.Pointer[identity]
	evicted atomic.Bool
	phase   atomic.Pointer[phase] // written under mu

	lastBroken atomic.Int64 // when a broken connection was last counted, on the clock of the config

	dials dials

	mu      sync.Mutex
	gate    *gobreaker.TwoStepCircuitBreaker[struct{}]
	cause   fault.Class // of the failure that gate is being told of
	reopen  reopening
	probes  []*probe  // the ones that hold a place of the gate
	stale   int       // probes of this phase that found their connection lost
	waiters []*waiter // for a place, first come, first served
	alarmed *phase    // the open phase whose end has a timer
	made    []Change  // since mu was locked
}

// identity is the target of a circuit as it is known.
type identity struct {
	target sessionproxy.Target
	name   string
	labels labels // for metrics; nil without
}

// identity returns the target as it is known.
func (c *circuit) identity() *identity { return c.named.Load() }

// rename says which target it is that has the circuit's key: a connection may
// have told what the server is.
func (c *circuit) rename(t *sessionproxy.Target) {
	if t == nil || c.identity().target == *t {
		return
	}
	c.named.Store(c.cfg.identify(*t))
}

func (c *config) identify(t sessionproxy.Target) *identity {
	i := &identity{target: t, name: t.String()}
	if c.provider != nil {
		i.labels = newLabels(t)
	}
	return i
}

func newCircuit(cfg *config, key sessionproxy.Target) *circuit {
	c := &circuit{cfg: cfg, key: key}
	c.named.Store(cfg.identify(key))
	c.gate = c.newGate()
	c.reopen.closedAt = math.MinInt64 / 2
	c.lastBroken.Store(math.MinInt64 / 2)
	c.phase.Store(c.newPhase(StateClosed, fault.ClassNone))
	return c
}

// newGate returns a closed gobreaker. Its counts in the closed state are not
// used: whoever reports a failure has decided that it must open. Nor is its
// open time, which is fixed: it is not asked before a circuit's own is over.
func (c *circuit) newGate() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        c.identity().name,
		MaxRequests: c.cfg.probes,
		Timeout:     1,
		ReadyToTrip: func(gobreaker.Counts) bool { return true },
		IsExcluded:  func(err error) bool { return errors.Is(err, errExcluded) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			c.follow(stateOf(to))
		},
	})
}

func (c *circuit) newPhase(s State, cause fault.Class) *phase {
	now := c.cfg.now()
	p := &phase{state: s, since: time.Now(), cause: cause, opened: now, began: now}
	if before := c.phase.Load(); before != nil && before.state != StateClosed {
		p.began = before.began
	}
	switch s {
	case StateClosed, StateForcedClosed:
		p.window = newWindow(c.cfg.buckets, c.cfg.period, c.cfg.stripes, now)
		c.reopen.closedAt = now
	case StateOpen:
		from := StateClosed
		if before := c.phase.Load(); before != nil {
			from = before.state
		}
		most := c.cfg.openTime
		if len(c.waiters) > 0 && c.brief(p, now) {
			most = min(most, 2*c.cfg.firstOpen) // there are calls that wait
		}
		open := c.reopen.next(c.cfg, from, now, most)
		if before := c.phase.Load(); from == StateHalfOpen && p.hung() {
			open = max(open-(now-before.opened), min(open, c.cfg.firstOpen)) // it has been probed all the while
		}
		p.until = now + open
		if c.cfg.prober != nil {
			c.cfg.prober.plan(c, open)
		}
	}
	return p
}

// follow begins the phase that the gate has come to. The caller holds mu.
func (c *circuit) follow(to State) {
	cause := c.phase.Load().cause
	if to == StateOpen {
		cause = c.cause
	}
	c.become(to, cause)
}

// become begins a phase. The caller holds mu.
func (c *circuit) become(to State, cause fault.Class) {
	from := c.phase.Load()
	p := c.newPhase(to, cause)
	c.phase.Store(p)
	c.probes, c.stale = nil, 0
	if from.state == to {
		return
	}
	change := Change{Target: c.identity().target, From: from.state, To: to, At: p.since, Cause: cause}
	c.made = append(c.made, change)
	c.cfg.notices.add(change)
}

// leave answers the calls that wait, as far as it can, unlocks mu, and tells of
// the changes made since it was locked. call may be nil.
func (c *circuit) leave(call *sessionproxy.Call) {
	c.serve()
	c.alarm()
	made := c.made
	c.made = nil
	c.mu.Unlock()
	if len(made) == 0 {
		return
	}
	if call != nil {
		for _, m := range made {
			call.Event(sessionproxy.Event{Kind: sessionproxy.EventBreaker, Detail: m.To.String()})
		}
	}
	c.cfg.notices.deliver()
}

// record counts the outcome of a call that was admitted in the phase p, and
// opens the circuit if it has to.
func (c *circuit) record(call *sessionproxy.Call, p *phase, err error, now time.Duration, slow bool) {
	if c.phase.Load() != p {
		return
	}
	if err == nil && !slow && call.Op != sessionproxy.OpAcquire { // the most frequent, in fewer steps
		p.window.succeeded(now)
		return
	}
	v := c.cfg.judge(call, err, slow)
	if v.broken && !c.firstBroken(now) {
		v.outcome = excluded
	}
	c.listen(call, err, p.window, &v, now)
	p.window.add(v, now)
	if v.outcome != failed && !v.slow || p.state != StateClosed {
		return
	}
	if open, cause := c.cfg.mustOpen(p.window.counts(now), v); open {
		c.open(call, p, cause)
	}
}

// moment is how long connections that break count as one failure: a server that
// was restarted or promoted, or whose sessions were ended, breaks all of them at
// once, and each is found out when it is used next.
const moment = time.Second

// firstBroken reports whether a broken connection is the first one of a moment.
func (c *circuit) firstBroken(now time.Duration) bool {
	last := c.lastBroken.Load()
	return now-time.Duration(last) >= moment && c.lastBroken.CompareAndSwap(last, int64(now))
}

// open opens the circuit if it still is in the phase p.
func (c *circuit) open(call *sessionproxy.Call, p *phase, cause fault.Class) {
	c.mu.Lock()
	defer c.leave(call)
	if c.phase.Load() != p {
		return
	}
	c.cause = cause
	if done, err := c.gate.Allow(); err == nil {
		done(errFailed)
	}
}

// force puts the circuit into the state s, which no outcome changes unless it
// is StateClosed.
func (c *circuit) force(s State) {
	c.mu.Lock()
	defer c.leave(nil)
	if s == StateClosed {
		c.gate = c.newGate()
	} else if c.phase.Load().state == s {
		return
	}
	c.become(s, fault.ClassNone)
}

// status returns what is known of the circuit now.
func (c *circuit) status() Status {
	p, now := c.phase.Load(), c.cfg.now()
	s := Status{
		Target: c.identity().target, State: p.shown(now), Since: p.since,
		RetryAfter: p.wait(now), Cause: p.cause,
	}
	if p.window != nil {
		s.Counts = p.window.counts(now)
	}
	return s
}
