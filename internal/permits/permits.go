package permits

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// Reason says why a call got no permit. The empty one is that of none.
type Reason string

// The reasons.
const (
	QueueFull Reason = "queue_full" // as many wait as may
	Deadline  Reason = "deadline"   // the caller's deadline would pass in the line
	MaxWait   Reason = "max_wait"   // the longest wait has passed, or would
	Shed      Reason = "shed"       // its place went to another, which had more right to it
	Overload  Reason = "overload"   // it waited longer than calls may while the line does not empty
)

// Bounds are what bounds a line.
type Bounds struct {
	Queue int // how many may wait
	// PerPermit is how many may wait for each permit of the limit, in place of
	// Queue; 0 for that.
	PerPermit int
	MaxWait   time.Duration // how long; 0 or more
	// Target is how long calls may wait in the long run; 0 for no bound. While
	// all wait longer for all of Interval, there is overload.
	Target, Interval time.Duration
	// NewestFirst has the newest served first while there is overload.
	NewestFirst bool
	// Stall is how long a line may stand still before it is let in one by one,
	// beyond the limit, up to Most holders: what is held may be held by those who
	// wait for the ones in line. 0 for never.
	Stall time.Duration
	// Most is how many holders there may be then.
	Most int
}

// Permits are handed out to so many holders at once, and to those who wait in
// the order of the line. While nobody waits, a permit is taken and given back by
// one compare-and-swap each; the lock is for those who have to wait, and is held
// for a few instructions only.
type Permits struct {
	bounds Bounds
	word   word

	passed atomic.Int64 // calls that found none free, and did not wait
	heldUp atomic.Int64 // calls that found none free, and waited or were refused

	mu       sync.Mutex
	rejected int64
	line     line
	delay    delay
}

// New returns permits for limit holders, which is above 0.
func New(limit int, b Bounds) *Permits {
	p := &Permits{bounds: b}
	p.word.init(limit)
	p.line.init()
	return p
}

// lock takes the lock, and has everybody else come to it.
func (p *Permits) lock() {
	p.mu.Lock()
	p.word.contend()
}

// unlock gives the lock back; if nobody waits, permits are had without it again.
func (p *Permits) unlock() {
	if p.line.length == 0 {
		p.word.relax()
	}
	p.mu.Unlock()
}

// Try takes a permit if one is free, for which Release has to be called. If none
// is, it counts that and reports false.
func (p *Permits) Try() bool {
	if p.word.take() {
		return true
	}
	p.lock()
	defer p.unlock()
	if p.word.full() {
		p.passed.Add(1)
		return false
	}
	p.word.add(1)
	return true
}

// Acquire takes a permit, for which Release has to be called. It returns how
// long it waited; or a reason to refuse; or the context's error.
func (p *Permits) Acquire(ctx context.Context, call *sp.Call) (waited time.Duration, reason Reason, err error) {
	if p.word.take() {
		return 0, "", nil
	}
	return p.queue(ctx, call)
}

// queue is Acquire for a call that may have to wait.
func (p *Permits) queue(ctx context.Context, call *sp.Call) (waited time.Duration, reason Reason, err error) {
	p.lock()
	if !p.word.full() { // then nobody waits
		p.word.add(1)
		p.unlock()
		return 0, "", nil
	}
	p.heldUp.Add(1)
	now := time.Now()
	at := placeOf(call)
	var victim *waiter
	if err = ctx.Err(); err == nil {
		reason, victim = p.hopeless(ctx, at, now)
	}
	if err != nil || reason != "" {
		p.refused(reason)
		p.unlock()
		return 0, reason, err
	}
	w := &waiter{place: at, since: now, ready: make(chan struct{})}
	w.deadline, _ = ctx.Deadline()
	p.shed(victim, Shed)
	p.line.push(w, now)
	p.unlock()
	reason, err = p.wait(ctx, w)
	return time.Since(now), reason, err
}

// Foresee returns the reason for which Acquire would refuse call now, or "".
func (p *Permits) Foresee(ctx context.Context, call *sp.Call) Reason {
	if !p.word.full() {
		return ""
	}
	p.lock()
	defer p.unlock()
	if !p.word.full() {
		return ""
	}
	reason, _ := p.hopeless(ctx, placeOf(call), time.Now())
	return reason
}

// hopeless returns why it makes no sense to wait at a place, or ""; and who has to
// leave the line to make room, if anyone. The caller holds mu.
func (p *Permits) hopeless(ctx context.Context, at place, now time.Time) (Reason, *waiter) {
	var victim *waiter
	if p.line.length >= p.Room() {
		if victim = p.line.victim(at); victim == nil {
			return QueueFull, nil
		}
	}
	needed := p.line.pace * time.Duration(p.line.ahead(at)+1)
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(now) <= needed {
		return Deadline, nil
	}
	if p.bounds.MaxWait <= needed {
		return MaxWait, nil
	}
	return "", victim
}

// wait waits for a permit.
func (p *Permits) wait(ctx context.Context, w *waiter) (Reason, error) {
	timer := time.NewTimer(p.bounds.MaxWait)
	defer timer.Stop()
	var stalls <-chan time.Time
	var again *time.Timer
	if p.bounds.Stall > 0 {
		again = time.NewTimer(p.bounds.Stall)
		defer again.Stop()
		stalls = again.C
	}
	for {
		select {
		case <-w.ready:
			return w.refused, nil
		case <-ctx.Done():
			if p.leave(w, "") {
				p.Release() // too late to be of use
			}
			return "", ctx.Err()
		case <-timer.C:
			if p.leave(w, MaxWait) {
				return "", nil
			}
			return w.refused, nil
		case <-stalls:
			again.Reset(p.letIn())
		}
	}
}

// leave takes w out of the line, for a reason to refuse it or none, and
// reports whether it has got a permit instead.
func (p *Permits) leave(w *waiter, reason Reason) (granted bool) {
	p.lock()
	defer p.unlock()
	if !w.granted && w.refused == "" {
		p.line.remove(w)
		w.refused = reason
		p.refused(reason)
	}
	return w.granted
}

// shed refuses w, if it is one, in the line. The caller holds mu.
func (p *Permits) shed(w *waiter, reason Reason) {
	if w == nil {
		return
	}
	p.line.remove(w)
	w.refused = reason
	p.refused(reason)
	close(w.ready)
}

// refused counts a refusal. The caller holds mu.
func (p *Permits) refused(reason Reason) {
	if reason != "" {
		p.rejected++
	}
}

// Release gives a permit back, or to the next in line.
func (p *Permits) Release() {
	if p.word.give() {
		return
	}
	p.lock()
	defer p.unlock()
	p.word.add(-1)
	p.serve()
}

// SetLimit changes how many holders there may be, above 0. What is held beyond
// stays held.
func (p *Permits) SetLimit(limit int) {
	p.lock()
	defer p.unlock()
	p.word.setLimit(limit)
	p.serve()
}

// serve gives what permits are free to those in line. The caller holds mu.
func (p *Permits) serve() {
	if p.line.length == 0 {
		return
	}
	now := time.Now()
	for !p.word.full() && p.line.length > 0 {
		p.relieve(now)
		w := p.line.next(p.bounds.NewestFirst && p.delay.overload)
		if p.late(w, now) {
			p.shed(w, Deadline)
			continue
		}
		p.grant(w, now)
	}
}

// late reports whether w has come to its turn so late that hardly any call ends
// before its deadline: less than half of what one takes on average is left.
func (p *Permits) late(w *waiter, now time.Time) bool {
	return !w.deadline.IsZero() && w.deadline.Sub(now) < p.line.pace*time.Duration(p.Limit())/2
}

// grant gives a permit to w, who is in line. The caller holds mu.
func (p *Permits) grant(w *waiter, now time.Time) {
	p.line.advance(w, now)
	w.granted = true
	p.word.add(1)
	close(w.ready)
}

// relieve refuses those who have waited too long while there is overload, but
// for the last one. The caller holds mu, and somebody waits.
func (p *Permits) relieve(now time.Time) {
	if p.bounds.Target == 0 {
		return
	}
	// What a call takes is no standing queue: calls that work for long wait for long.
	target := max(p.bounds.Target, p.line.pace*time.Duration(p.Limit()))
	p.delay.observe(now, now.Sub(p.line.least().since), target, p.bounds.Interval, p.line.length)
	for p.delay.overload && p.line.length > 1 {
		w := p.line.least()
		if now.Sub(w.since) <= 2*target {
			return
		}
		p.shed(w, Overload)
	}
}

// Room returns how many may wait.
func (p *Permits) Room() int {
	if p.bounds.PerPermit > 0 {
		return p.bounds.PerPermit * p.Limit()
	}
	return p.bounds.Queue
}

// Limit returns how many holders there may be.
func (p *Permits) Limit() int { return p.word.limit() }

// Load returns how many holders there may be, and how many there are. It takes no
// lock.
func (p *Permits) Load() (limit, inUse int) { return p.word.both() }

// HeldUp returns how many calls found no permit free so far. It takes no lock.
func (p *Permits) HeldUp() int64 { return p.heldUp.Load() }

// Waiting returns how many wait.
func (p *Permits) Waiting() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.line.length)
}

// Stats is what permits are doing at one moment.
type Stats struct {
	Limit    int   // how many holders there may be
	InUse    int   // how many there are
	Queue    int   // how many may wait
	Waiting  int   // how many do
	Rejected int64 // how many have been refused so far
	Passed   int64 // how many found none free, and did not wait
}

// Stats returns what the permits are doing now.
func (p *Permits) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	limit, inUse := p.word.both()
	return Stats{
		Limit: limit, InUse: inUse, Queue: p.Room(), Waiting: p.line.length,
		Rejected: p.rejected, Passed: p.passed.Load(),
	}
}
