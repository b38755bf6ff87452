package breaker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Breaker is a [sessionproxy.Interceptor] that refuses calls to failing
// targets. It keeps one circuit per target, shared by every chain the Breaker
// is in. Create it with [New]; it is safe for concurrent use.
type Breaker struct {
	cfg      *config
	circuits registry
	meters   *meters
}

var (
	_ sessionproxy.Interceptor = (*Breaker)(nil)
	_ sessionproxy.Admitter    = (*Breaker)(nil)
	_ sessionproxy.PerNode     = (*Breaker)(nil)
)

// PerNode marks the breaker as [sessionproxy.PerNode]: each server of a cluster
// has a circuit of its own.
func (*Breaker) PerNode() {}

// New returns a Breaker. It fails if an option has a value out of its range,
// or if the meter provider can't create the instruments.
func New(opts ...Option) (*Breaker, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	b := &Breaker{cfg: cfg}
	b.circuits.limit = cfg.maxTargets
	b.circuits.create = func(key sessionproxy.Target) *circuit { return newCircuit(cfg, key) }
	if b.meters, err = newMeters(cfg.provider, &b.circuits); err != nil {
		return nil, err
	}
	return b, nil
}

// Wrap returns a handler that performs a call with next, or refuses it.
func (b *Breaker) Wrap(next sessionproxy.Handler) sessionproxy.Handler {
	l := &link{Breaker: b, next: next}
	return l.handle
}

// Close ends the probes of [WithProbe]; it cancels a running probe and waits
// for it. The breaker keeps working, with calls as its probes. Without
// [WithProbe], Close does nothing. It always returns nil.
func (b *Breaker) Close() error {
	if b.cfg.prober != nil {
		b.cfg.prober.close()
	}
	return nil
}

// Admit returns the error with which call would be refused now, or nil. A call
// that would have to wait for the outcome of a probe is not refused. Admit
// never waits, changes no state and takes no probe, and the metrics do not
// count its refusals.
func (b *Breaker) Admit(_ context.Context, call *sessionproxy.Call) error {
	if ruleOf(call) < ruleEarly {
		return nil
	}
	c := b.circuits.find(call.Target)
	if c == nil {
		return nil
	}
	if refusal := c.wouldRefuse(call); refusal != nil && !passes(call, refusal) {
		return refusal
	}
	return nil
}

// link is a Breaker's place in one chain.
type link struct {
	*Breaker
	next sessionproxy.Handler
	last [lasts]atomic.Pointer[known]
}

// lasts is of how many nodes of a cluster a link remembers the circuits.
const lasts = 4

// known remembers the circuit of a target that the link's calls go to: for one
// handle it hardly ever changes, or for one node of a cluster.
type known struct {
	target  *sessionproxy.Target
	circuit *circuit
}

// circuit returns the circuit of the target of a call.
func (l *link) circuit(call *sessionproxy.Call) *circuit {
	t, last := call.Target, &l.last[0]
	if n := call.Node; n != nil {
		last = &l.last[n.Index%lasts]
	}
	if k := last.Load(); k != nil && k.target == t && !k.circuit.evicted.Load() {
		return k.circuit
	}
	c := l.circuits.get(t)
	last.Store(&known{target: t, circuit: c})
	return c
}

func (l *link) handle(ctx context.Context, call *sessionproxy.Call) error {
	r := ruleOf(call)
	if call.Op == sessionproxy.OpConnect {
		return l.connect(ctx, call, r)
	}
	if r == ruleCount || r == ruleFollow { // the most frequent, in fewer steps
		c := l.circuit(call)
		if p := c.phase.Load(); p.window != nil {
			return l.counted(ctx, call, c, p)
		}
	}
	return l.ruled(ctx, call, r)
}

// connect performs a call that makes a connection, and notes for how long it is
// under way and whether the server answers.
func (l *link) connect(ctx context.Context, call *sessionproxy.Call, r rule) error {
	c := l.circuit(call)
	c.dials.begin(call, c.cfg.now())
	defer c.dials.end(call)
	err := l.ruled(ctx, call, r)
	if err == nil {
		c.heard()
	}
	return err
}

// ruled performs or refuses a call as its rule says.
func (l *link) ruled(ctx context.Context, call *sessionproxy.Call, r rule) error {
	if r == rulePass {
		return l.next(ctx, call)
	}
	c := l.circuit(call)
	p := c.phase.Load()
	switch {
	case p.window == nil:
		return l.careful(ctx, call, c, r)
	case r == ruleEarly:
		return l.next(ctx, call)
	}
	return l.counted(ctx, call, c, p)
}

// counted performs a call whose outcome is counted in the window of p.
func (l *link) counted(ctx context.Context, call *sessionproxy.Call, c *circuit, p *phase) error {
	var start time.Duration
	if c.cfg.slow > 0 {
		start = c.cfg.now()
	}
	err := l.next(ctx, call)
	if err == nil && call.Open() && !call.Op.Lasting() {
		awaitRows(call, c, p, c.cfg.slow > 0 && c.cfg.now()-start >= c.cfg.slow)
		return nil
	}
	now := c.cfg.now()
	c.record(call, p, err, now, c.cfg.slow > 0 && now-start >= c.cfg.slow)
	return err
}

// passes reports whether a call is performed despite a refusal: what became of a
// COMMIT is worth asking a database that may be ill. It is not if somebody has
// closed the way to it by hand.
func passes(call *sessionproxy.Call, refusal *OpenError) bool {
	return call.Marks.Verifying && refusal != nil && refusal.State != StateForcedOpen
}

// careful performs or refuses a call while the circuit is not counting.
func (l *link) careful(ctx context.Context, call *sessionproxy.Call, c *circuit, r rule) error {
	if r == ruleFollow {
		return l.next(ctx, call)
	}
	g, refusal, err := l.admitted(ctx, call, c, r)
	if err != nil {
		return err
	}
	switch {
	case refusal != nil && !passes(call, refusal):
		return l.refuse(ctx, call, c, refusal)
	case g.probe != nil && r == ruleEarly:
		call.OnFinish(func(error) { c.endProbe(nil, g.probe, verdict{}) })
		return l.next(ctx, call)
	case g.probe != nil:
		return l.probe(ctx, call, c, g.probe)
	case g.phase != nil:
		return l.counted(ctx, call, c, g.phase)
	}
	return l.next(ctx, call)
}

func (l *link) refuse(ctx context.Context, call *sessionproxy.Call, c *circuit, refusal *OpenError) error {
	l.meters.refused(ctx, c, refusal.State)
	call.Event(sessionproxy.Event{Kind: sessionproxy.EventRejected, Err: refusal, Detail: "breaker"})
	return refusal
}

// probe performs a call as a probe. Its outcome is reported as soon as next
// returns: the server's first answer tells enough, and rows that nobody closes
// must not hold the probe's place.
func (l *link) probe(ctx context.Context, call *sessionproxy.Call, c *circuit, p *probe) error {
	v := verdict{outcome: excluded} // stays if next panics or ends the goroutine
	defer func() {
		if p.owner != nil && call.Op == sessionproxy.OpConnect && v.outcome == succeeded {
			return // the unit's BEGIN is to come
		}
		c.endProbe(call, p, v)
	}()
	start := c.cfg.now()
	err := l.next(ctx, call)
	now := c.cfg.now()
	v = c.cfg.judgeProbe(call, err, c.cfg.slow > 0 && now-start >= c.cfg.slow)
	if err != nil && p.phase.hung() && now-p.phase.opened >= patient && givenUp(call.Verdict(err)) {
		v = verdict{outcome: failed, class: fault.ClassTimeout}
	}
	return err
}
