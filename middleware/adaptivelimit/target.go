package adaptivelimit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/admission"
	"github.com/sessionproxy/sessionproxy/internal/permits"
)

// target is the limit of one database.
type target struct {
	*Limiter
	permits *permits.Permits
	finish  func(error) // gives a permit back, as a finish hook
	start   time.Time   // of its clock
	kinds   *kinds
	window  atomic.Pointer[window] // written under mu

	mu     sync.Mutex // held while something is decided; calls don't wait for it
	law    law
	course course
}

var _ sp.Holding = (*target)(nil)

func newTarget(l *Limiter) *target {
	t := &target{
		Limiter: l, start: time.Now(), kinds: newKinds(),
		law: law{least: float64(l.least), most: float64(l.most)},
	}
	t.law.to(float64(l.initial))
	limit := t.law.effective()
	t.permits = permits.New(limit, permits.Bounds{
		Queue: l.queue, PerPermit: l.perPermit, MaxWait: l.maxWait, Target: l.target, Interval: l.interval, NewestFirst: l.newest,
		Stall: stall, Most: l.most,
	})
	t.finish = func(error) { t.permits.Release() }
	t.window.Store(&window{limit: limit, enough: enough})
	return t
}

// stall is how long the queue may stand still before it is let in one by one.
const stall = time.Second

// now returns the time on the target's clock.
func (t *target) now() time.Duration { return time.Since(t.start) }

// Yield gives back the permit of a call that waits for something else; see
// [sp.Call.Wait].
func (t *target) Yield(*sp.Call) { t.permits.Release() }

// Resume takes a permit for call, and waits for it in the queue.
func (t *target) Resume(ctx context.Context, call *sp.Call) error {
	waited, reason, err := t.permits.Acquire(ctx, call)
	switch {
	case reason != "":
		refusal := t.refusal(call, Reason(reason))
		t.meters.Add(ctx, string(reason))
		call.Event(sp.Event{Kind: sp.EventRejected, Err: refusal, Detail: string(reason)})
		return refusal
	case err != nil: // the caller's context ended while it waited
		return admission.GaveUp(ctx, call, err)
	}
	if waited > 0 {
		call.Event(sp.Event{Kind: sp.EventQueued, Delay: waited, Detail: "adaptive limit"})
	}
	return nil
}

func (t *target) refusal(call *sp.Call, reason Reason) *Error {
	return &Error{Op: call.Op, Name: t.name, Limit: t.permits.Limit(), Queue: t.permits.Room(), Reason: reason}
}

// measured performs a call and learns from it: from a statement when its first
// answer is there, from a transaction when it has ended.
func (t *target) measured(ctx context.Context, call *sp.Call, next sp.Handler) error {
	k := t.kinds.of(call)
	began := t.now()
	if call.Op == sp.OpBegin {
		call.OnFinish(func(error) { t.learn(k, began, says) })
		return next(ctx, call)
	}
	err := next(ctx, call)
	t.learn(k, began, outcomeOf(call, err))
	return err
}

// outcome is what a call says of the database.
type outcome uint8

const (
	says       outcome = iota // its time counts
	atLeast                   // it would have taken longer than it did
	nothing                   // it says nothing
	overloaded                // the database is overloaded
)

// outcomeOf tells what a call that ended with err says of the database.
func outcomeOf(call *sp.Call, err error) outcome {
	if err != nil {
		switch call.Verdict(err).Class {
		case fault.ClassOverloaded, fault.ClassPoolTimeout, fault.ClassAttemptTimeout:
			return overloaded
		case fault.ClassTimeout, fault.ClassStatementTimeout:
			if call.Attempt() == 1 {
				return atLeast
			}
		}
		return nothing
	}
	if call.Attempt() > 1 {
		return nothing // pauses are in its time
	}
	return says
}

// learn takes in a call that began then and ends now. It takes no lock, but when
// there is something to decide.
func (t *target) learn(k *kind, began time.Duration, o outcome) {
	now, w := t.now(), t.window.Load()
	limit, inUse := t.permits.Load()
	w.crowded(inUse)
	switch o {
	case overloaded:
		w.faults.Add(1)
	case says:
		if ratio, known := k.ratio(now-began, w.level, !w.probing && 2*inUse < limit); known {
			w.count(ratio, began, now-began)
		}
	case atLeast: // of a caller that left soon that says nothing
		if ratio, known := k.known(now - began); known && ratio > w.level {
			w.count(ratio, began, now-began)
		}
	}
	if w.over(now, inUse) && t.mu.TryLock() {
		defer t.mu.Unlock()
		if t.window.Load() == w {
			t.decide(w, now, inUse)
		}
	}
}

// stats returns what is known of the target, with the course of its limit if that
// is wanted.
func (t *target) stats(key sp.Target, withCourse bool) Stats {
	s := t.permits.Stats()
	out := Stats{
		Target: key.Named(), Name: t.name, Limit: s.Limit, InUse: s.InUse, Queue: s.Queue,
		Waiting: s.Waiting, Rejected: s.Rejected, Passed: s.Passed,
	}
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	out.Latency = t.course.latest(now)
	if withCourse {
		out.Course = t.course.list(t.start, now)
	}
	return out
}

// decide ends a window and begins the next. The caller holds mu.
func (t *target) decide(w *window, now time.Duration, inUse int) {
	drain, level, heldUp := false, w.level, t.permits.HeldUp()
	if !w.draining {
		s := w.summary(now, heldUp)
		drain, level = t.law.decide(s), s.middle
		t.course.add(now, t.law.settled(), s.busiest, int64(s.n), time.Duration(w.took.Load()))
	}
	next := &window{since: now, level: level, heldUp: heldUp, limit: t.law.effective(), draining: drain, probing: t.law.probing, enough: enough}
	next.crowded(inUse)
	t.window.Store(next)
	if next.limit != w.limit {
		t.permits.SetLimit(next.limit)
	}
}
