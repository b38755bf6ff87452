package simulation

import (
	"context"
	"slices"
	"sync"
)

// pool keeps up to max sessions, and hands them out in the order in which they
// are asked for, as database/sql does: the one that came back last goes first.
type pool struct {
	max int

	mu      sync.Mutex
	open    int // handed out, idle, or being dialled
	idle    []*session
	waiters []chan *session // each gets a session, or nil: it may dial one
}

// take takes a session, and dials one if it has to.
func (p *pool) take(ctx context.Context, dial func(context.Context) (*session, error)) (*session, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	n, err := p.next(ctx)
	if n != nil || err != nil {
		return n, err
	}
	if n, err = dial(ctx); err != nil {
		p.drop()
	}
	return n, err
}

// next returns an idle session, or nil for a place in which one may be dialled.
func (p *pool) next(ctx context.Context) (*session, error) {
	p.mu.Lock()
	if last := len(p.idle) - 1; last >= 0 {
		n := p.idle[last]
		p.idle = p.idle[:last]
		p.mu.Unlock()
		return n, nil
	}
	if p.open < p.max {
		p.open++
		p.mu.Unlock()
		return nil, nil
	}
	turn := make(chan *session, 1)
	p.waiters = append(p.waiters, turn)
	p.mu.Unlock()
	select {
	case n := <-turn:
		return n, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	i := slices.Index(p.waiters, turn)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		if n := <-turn; n != nil {
			p.put(n)
		} else {
			p.drop()
		}
	}
	return nil, ctx.Err()
}

// put gives a session back.
func (p *pool) put(n *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		p.waiters[0] <- n
		p.waiters = p.waiters[1:]
		return
	}
	p.idle = append(p.idle, n)
}

// drop gives back the place of a session that is no more.
func (p *pool) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		p.waiters[0] <- nil
		p.waiters = p.waiters[1:]
		return
	}
	p.open--
}

// inUse returns how many sessions are handed out, and how many calls wait for
// one.
func (p *pool) inUse() (out, waiting int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open - len(p.idle), len(p.waiters)
}
