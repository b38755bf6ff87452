package adaptivelimit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/admission"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"

// maxTargets is how many databases have a limit of their own; those beyond share
// one.
const maxTargets = 256

// A Limiter is an interceptor that bounds how many calls run at once at each
// database, by what the database can take. Create it with [New]. It is safe for
// concurrent use.
type Limiter struct {
	config
	meters *admission.Refusals

	mu      sync.RWMutex
	targets map[sp.Target]*target
}

var (
	_ sp.Interceptor = (*Limiter)(nil)
	_ sp.Admitter    = (*Limiter)(nil)
)

// New returns an interceptor that finds, for each database, the number of
// concurrent calls with the best throughput, and makes the others wait. What
// takes a permit, for how long, what passes without one and in which order
// calls wait are as with limit.New. Refused calls fail with a [*Error]; nothing
// was sent.
//
// The limit grows while calls wait and running calls take hardly longer than
// with fewer at work, each compared with others of its summary. It shrinks when
// they take longer, and when the database or its pool reports overload. A
// transaction counts by the time for which it holds its connection. While at
// least half of the limit is in use, half of the calls are held back every eight
// seconds at most, for about 160 calls, to measure how long the others take then;
// four in ten after the first measurements, and more often in the beginning.
//
// If the queue does not move for a second, or four times as long as its turns
// take, one call after the other is let in beyond the limit, up to [WithMax],
// until permits come back: those who hold them may be waiting for calls in the
// queue, as in a loop over rows, or for a lock that has nothing to do with the
// others.
//
// Put it in the place of limit. Outside a retry it sees only a call's last
// attempt, and ignores the times of calls with several attempts.
func New(opts ...Option) (*Limiter, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	if c.least > c.most {
		return nil, fmt.Errorf("adaptivelimit: a lower bound of %d is above the upper one of %d", c.least, c.most)
	}
	l := &Limiter{config: c, targets: map[sp.Target]*target{}}
	var err error
	l.meters, err = admission.Meters{
		Provider: c.provider, Scope: scopeName, Prefix: "sessionproxy.adaptive_limit", Name: c.name,
	}.New(l.waiting, string(QueueFull), string(Deadline), string(MaxWait), string(Shed), string(Overload))
	if err == nil {
		err = l.measure()
	}
	if err != nil {
		return nil, fmt.Errorf("adaptivelimit: %w", err)
	}
	return l, nil
}

// Wrap returns a handler that performs a call with next, when there is a permit
// for it, or refuses it.
func (l *Limiter) Wrap(next sp.Handler) sp.Handler { return (&link{Limiter: l, next: next}).handle }

// link is a limiter around the next handler of one chain.
type link struct {
	*Limiter
	next sp.Handler
	last atomic.Pointer[known]
}

// known remembers the target that the link's calls go to, which for one handle
// hardly ever changes.
type known struct {
	of     *sp.Target
	target *target
}

func (l *link) target(of *sp.Target) *target {
	if k := l.last.Load(); k != nil && k.of == of {
		return k.target
	}
	t := l.get(of)
	l.last.Store(&known{of: of, target: t})
	return t
}

func (l *link) handle(ctx context.Context, call *sp.Call) error {
	if !call.IsEntry() {
		return l.next(ctx, call)
	}
	t := l.target(call.Target)
	if passes(call) { // it must not wait, nor for a permit that it gave back
		if t.permits.Try() {
			call.OnFinish(t.finish)
		}
		return l.next(ctx, call)
	}
	if err := t.Resume(ctx, call); err != nil {
		return err
	}
	call.Hold(t, t.finish)
	return t.measured(ctx, call, l.next)
}

// passes reports whether a call does not wait for a permit: it has a connection,
// or finds out what became of a COMMIT.
func passes(call *sp.Call) bool { return call.Scope == sp.ScopeConn || call.Marks.Verifying }

// Admit returns the error with which call would be refused now, or nil. It is not
// counted by the metrics.
func (l *Limiter) Admit(ctx context.Context, call *sp.Call) error {
	if !call.IsEntry() || passes(call) {
		return nil
	}
	t := l.get(call.Target)
	if reason := t.permits.Foresee(ctx, call); reason != "" {
		return t.refusal(call, Reason(reason))
	}
	return nil
}

// get returns what is known of a target, and makes it if need be.
func (l *Limiter) get(of *sp.Target) *target {
	var key sp.Target
	if of != nil {
		key = of.Key()
	}
	l.mu.RLock()
	t := l.targets[key]
	l.mu.RUnlock()
	if t != nil {
		return t
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.targets) >= maxTargets {
		key = sp.Target{}
	}
	if t = l.targets[key]; t == nil {
		t = newTarget(l)
		l.targets[key] = t
	}
	return t
}

func (l *Limiter) waiting() (n int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, t := range l.targets {
		n += t.permits.Waiting()
	}
	return n
}

// Stats is the state of a [Limiter] for one database at one moment.
type Stats struct {
	// Target is the database, as it was known before the first connection.
	Target sp.Target
	// Name is what [WithName] set, or "".
	Name string
	// Limit is how many calls may run at once now.
	Limit int
	// InUse is how many permits are taken. It may be above a limit that shrank.
	InUse int
	// Queue is how many calls may wait.
	Queue int
	// Waiting is how many calls are waiting.
	Waiting int
	// Rejected is how many calls have been refused so far.
	Rejected int64
	// Passed is how many calls have passed without a permit so far, because
	// they already had a connection and no permit was free.
	Passed int64
	// Latency is how long calls took on average in the latest seconds that
	// tell; 0 if none do.
	Latency time.Duration
	// Course is the limit over the last five minutes, in intervals of five
	// seconds, the oldest first. Intervals with too few calls to tell are left out.
	Course []Point
}

// Stats returns what the limiter is doing now for each database it has seen, in no
// order. It does not block for longer than it takes to copy the numbers, and is
// safe for concurrent use.
func (l *Limiter) Stats() []Stats {
	l.mu.RLock()
	defer l.mu.RUnlock()
	all := make([]Stats, 0, len(l.targets))
	for key, t := range l.targets {
		all = append(all, t.stats(key, true))
	}
	return all
}
