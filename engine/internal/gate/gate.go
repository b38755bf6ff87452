package gate

import (
	"context"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/engine/backend"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Gate lets so many users in at once. It is safe for concurrent use.
type Gate struct {
	permits chan struct{}
	handed  chan struct{} // a permit that goes to a verifier straight away
	timeout time.Duration
	size    int         // of the pool, beyond which it overflows
	burst   atomic.Bool // more than size were in since ResetBurst

	waiting  atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64
	timeouts atomic.Int64
}

// New returns a gate for the users of a pool of so many connections, and
// overflow more. A wait longer than timeout is a [backend.PoolTimeoutError]; 0
// waits as long as the context allows.
func New(size, overflow int, timeout time.Duration) *Gate {
	return &Gate{permits: make(chan struct{}, size+overflow), handed: make(chan struct{}), timeout: timeout, size: size}
}

// InUse returns how many users are in.
func (g *Gate) InUse() int { return len(g.permits) }

// Burst reports whether there were more users than the pool's size since
// ResetBurst.
func (g *Gate) Burst() bool { return g.burst.Load() }

// ResetBurst notes that the pool is back at its size.
func (g *Gate) ResetBurst() { g.burst.Store(false) }

// Enter waits for a permit, which Leave gives back, and returns how long that
// took. It returns the context's error if that ends first.
func (g *Gate) Enter(ctx context.Context) (waited time.Duration, err error) {
	select {
	case g.permits <- struct{}{}:
		g.entered()
		return 0, nil
	default:
	}
	start := time.Now()
	g.waiting.Add(1)
	g.waits.Add(1)
	defer func() {
		waited = time.Since(start)
		g.waiting.Add(-1)
		g.waitTime.Add(int64(waited))
	}()
	var expired <-chan time.Time
	if g.timeout > 0 {
		timer := time.NewTimer(g.timeout)
		defer timer.Stop()
		expired = timer.C
	}
	var handed chan struct{} // nil: of no use to others
	if sp.MarksFrom(ctx).Verifying {
		handed = g.handed
	}
	select {
	case <-handed:
		return 0, nil
	case g.permits <- struct{}{}:
		g.entered()
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-expired:
		g.timeouts.Add(1)
		return 0, &backend.PoolTimeoutError{Max: cap(g.permits), Timeout: g.timeout}
	}
}

// entered notes a burst.
func (g *Gate) entered() {
	if len(g.permits) > g.size && !g.burst.Load() {
		g.burst.Store(true)
	}
}

// Leave gives back the permit of one Enter. The next goes to whoever finds out
// what became of a COMMIT whose answer was lost, see [sp.WithVerifying], before
// all others that wait.
func (g *Gate) Leave() {
	select {
	case g.handed <- struct{}{}:
	default:
		<-g.permits
	}
}

// Stats adds what the gate knows to s.
func (g *Gate) Stats(s *backend.PoolStats) {
	s.Max += cap(g.permits)
	s.Waiting += int(g.waiting.Load())
	s.Waits += g.waits.Load()
	s.WaitTime += time.Duration(g.waitTime.Load())
	s.Timeouts += g.timeouts.Load()
}

// Wrap makes an interceptor of the gate, to be the innermost: each attempt of a
// call that takes a connection from the pool gets a permit for as long as its
// result is open. Other calls pass.
func (g *Gate) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if !takesConn(call) {
			return next(ctx, call)
		}
		waited, err := g.Enter(ctx)
		if err != nil {
			call.Judge(ctx, err, fault.PhaseAcquire, fault.ProgressUnsent)
			return err
		}
		call.OnFinish(func(error) { g.Leave() })
		if waited > 0 && call.Observed() {
			call.Event(sp.Event{Kind: sp.EventQueued, Delay: waited, Detail: "pool"})
		}
		return next(ctx, call)
	}
}

// takesConn reports whether a call takes a connection from the pool each time
// it is performed.
func takesConn(call *sp.Call) bool {
	if call.Scope != sp.ScopePool || call.Step() {
		return false
	}
	switch call.Op {
	case sp.OpConnect, sp.OpAcquire, sp.OpClose:
		return false
	case sp.OpBegin:
		return call.Unit() == nil // a unit has one already
	}
	return true
}
