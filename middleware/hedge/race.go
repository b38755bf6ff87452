package hedge

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
)

// race is a call that is performed once, and a second time if that takes too
// long. The first attempt runs on the caller's goroutine, the second on that of
// a timer; both on forks of the call.
type race struct {
	*handler
	ctx   context.Context // the call's, needed when the timer fires
	call  *sp.Call
	delay time.Duration

	first  attempt
	winner atomic.Pointer[attempt] // the first to bring a result

	thrown any // with what the call has to panic

	mu       sync.Mutex
	over     bool          // the first has returned: no second will be started
	second   *attempt      // if it was started
	panicked any           // what the function of WithPool panicked with
	through  chan struct{} // closed when the second has returned
}

// attempt is one attempt.
type attempt struct {
	call     *sp.Call
	ctx      context.Context // of one attempt
	cancel   context.CancelFunc
	err      error
	ended    bool // it failed, and its finish hooks have run
	panicked any
}

// open makes an attempt at fork of l. Its context lives as long as its result.
func (l *attempt) open(ctx context.Context, fork *sp.Call) {
	l.call = fork
	l.ctx, l.cancel = context.WithCancel(ctx)
	fork.OnFinish(func(error) { l.cancel() })
}

// run performs the call and returns its error.
func (r *race) run() error {
	timer := time.AfterFunc(r.delay, r.launch)
	returned := false
	defer func() {
		if !returned { // a panic, or the end of the goroutine
			r.end(&r.first, sp.ErrAborted)
			r.stop(timer, true)
			_ = r.finish(nil)
		}
	}()
	r.perform(&r.first)
	returned = true
	r.stop(timer, r.wins(&r.first))
	best := r.winner.Load()
	if best == nil {
		best = &r.first // both failed
	}
	return r.finish(best)
}

// perform makes an attempt. If it fails, its finish hooks run at once: the other
// attempt may be waiting for what they give back.
func (r *race) perform(l *attempt) {
	l.err = r.next(l.ctx, l.call)
	if l.err != nil {
		r.end(l, l.err)
	}
}

// end ends an attempt that failed or that nobody waits for.
func (r *race) end(l *attempt, err error) {
	if !l.ended {
		l.ended = true
		r.call.Abandon(l.call, err)
	}
}

// wins reports whether an attempt that has returned is the first to bring a
// result. A definite answer of the database is one, too.
func (r *race) wins(l *attempt) bool {
	return (l.err == nil || l.call.Verdict(l.err).Definite()) && r.winner.CompareAndSwap(nil, l)
}

// stop waits until there is no second attempt at work any more.
func (r *race) stop(timer *time.Timer, cancel bool) {
	if timer.Stop() {
		return
	}
	r.mu.Lock()
	r.over = true
	second, panicked := r.second, r.panicked
	r.mu.Unlock()
	r.thrown = panicked
	if second == nil {
		return
	}
	if cancel {
		second.cancel()
	}
	<-r.through
}

// finish makes the outcome of best that of the call, if it is not nil, and
// throws away the others. A panic of the second attempt goes on here.
func (r *race) finish(best *attempt) error {
	second := r.second
	if second != nil && second.panicked != nil {
		r.thrown = second.panicked
	}
	if r.thrown != nil {
		best = nil
	}
	for _, l := range [...]*attempt{&r.first, second} {
		if l != nil && l != best {
			r.end(l, context.Canceled)
		}
	}
	switch {
	case r.thrown != nil:
		panic(r.thrown)
	case best == nil:
		return nil
	case second != nil:
		r.meters.raced(r.ctx, best == second)
	}
	r.call.Adopt(best.call) // of a failed one, the verdict
	if best == second {
		r.call.Event(sp.Event{Kind: Event, Delay: r.delay, Detail: "won"})
	}
	return best.err
}

// launch makes the second attempt. It runs on the timer's goroutine.
func (r *race) launch() {
	l := r.enter()
	if l == nil {
		return
	}
	defer close(r.through)
	returned := false
	defer func() {
		if l.panicked = recover(); !returned {
			l.err = sp.ErrAborted
			r.end(l, l.err)
		}
	}()
	l.call.Event(sp.Event{Kind: Event, Delay: r.delay})
	r.perform(l)
	returned = true
	if r.wins(l) {
		r.first.cancel()
	}
}

// hasRoom asks the function of WithPool. A panic in it must not end the
// process, as it would on this goroutine: it goes on in the call.
func (r *race) hasRoom() (room bool) {
	if r.free == nil {
		return true
	}
	defer func() {
		if v := recover(); v != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.panicked, room = v, false
		}
	}()
	if room = r.free(); !room {
		r.meters.skip(r.ctx, "pool")
	}
	return room
}

// enter makes a second attempt out of the call, unless that is over, too many
// are made, or there is no connection for it.
func (r *race) enter() *attempt {
	if !r.hasRoom() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil
	}
	if !r.budget.spend() {
		r.meters.skip(r.ctx, "budget")
		return nil
	}
	fork, ok := r.call.Fork()
	if !ok { // the first waits for something other than the database
		r.budget.refund()
		return nil
	}
	r.second, r.through = new(attempt), make(chan struct{})
	r.second.open(r.ctx, fork)
	return r.second
}
