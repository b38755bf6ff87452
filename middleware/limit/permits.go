package limit

import (
	"context"
	"sync"
	"time"
)

// permits are handed out to so many holders at once, and to those who wait in
// the order in which they came. The lock is held for a few instructions only.
type permits struct {
	limit   int
	queue   int           // how many may wait
	maxWait time.Duration // how long; 0 or more

	mu       sync.Mutex
	inUse    int
	rejected int64
	passed   int64
	line     line
}

// try takes a permit if one is free, for which release has to be called. If none
// is, it counts that and reports false.
func (p *permits) try() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inUse >= p.limit {
		p.passed++
		return false
	}
	p.inUse++
	return true
}

// acquire takes a permit, for which release has to be called. It returns how
// long it waited; or a reason to refuse; or the context's error.
func (p *permits) acquire(ctx context.Context) (waited time.Duration, reason Reason, err error) {
	p.mu.Lock()
	if p.inUse < p.limit { // then nobody waits
		p.inUse++
		p.mu.Unlock()
		return 0, "", nil
	}
	now := time.Now()
	if err = ctx.Err(); err == nil {
		reason = p.hopeless(ctx, now)
	}
	if err != nil || reason != "" {
		p.refused(reason)
		p.mu.Unlock()
		return 0, reason, err
	}
	w := &waiter{ready: make(chan struct{})}
	p.line.push(w, now)
	p.mu.Unlock()
	reason, err = p.wait(ctx, w)
	return time.Since(now), reason, err
}

// foresee returns the reason for which acquire would refuse now, or "".
func (p *permits) foresee(ctx context.Context) Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inUse < p.limit {
		return ""
	}
	return p.hopeless(ctx, time.Now())
}

// hopeless returns why it makes no sense to wait, or "". The caller holds mu.
func (p *permits) hopeless(ctx context.Context, now time.Time) Reason {
	if p.line.length >= p.queue {
		return QueueFull
	}
	needed := p.line.pace * time.Duration(p.line.length+1)
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(now) <= needed {
		return Deadline
	}
	if p.maxWait <= needed {
		return MaxWait
	}
	return ""
}

// wait waits for a permit.
func (p *permits) wait(ctx context.Context, w *waiter) (Reason, error) {
	timer := time.NewTimer(p.maxWait)
	defer timer.Stop()
	select {
	case <-w.ready:
		return "", nil
	case <-ctx.Done():
		if p.leave(w, "") {
			p.release() // too late to be of use
		}
		return "", ctx.Err()
	case <-timer.C:
		if p.leave(w, MaxWait) {
			return "", nil
		}
		return MaxWait, nil
	}
}

// leave takes w out of the line, for a reason to refuse it or none, and
// reports whether it has got a permit instead.
func (p *permits) leave(w *waiter, reason Reason) (granted bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.granted {
		p.line.remove(w)
		p.refused(reason)
	}
	return w.granted
}

// refused counts a refusal. The caller holds mu.
func (p *permits) refused(reason Reason) {
	if reason != "" {
		p.rejected++
	}
}

// release gives a permit back, or to the first in line.
func (p *permits) release() {
	p.mu.Lock()
	w := p.line.first
	if w == nil {
		p.inUse--
		p.mu.Unlock()
		return
	}
	p.line.advance(time.Now())
	w.granted = true
	p.mu.Unlock()
	close(w.ready)
}

// waiting returns how many wait.
func (p *permits) waiting() int64 { return int64(p.stats().Waiting) }

func (p *permits) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Limit: p.limit, InUse: p.inUse, Queue: p.queue, Waiting: p.line.length, Rejected: p.rejected, Passed: p.passed,
	}
}
