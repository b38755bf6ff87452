package adaptivelimit

import (
	"context"
	"sync"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/admission"
	"github.com/sessionproxy/sessionproxy/internal/permits"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// maxKinds is how many kinds of calls are told apart; those beyond are one.
const maxKinds = 1024

// target is the limit of one database.
type target struct {
	*Limiter
	permits *permits.Permits
	finish  func(error)           // gives a permit back, as a finish hook
	known   *sqltext.Cache[*kind] // by text

	mu    sync.Mutex
	law   law
	limit int // of permits
	kinds map[string]*kind
}

var _ sp.Holding = (*target)(nil)

func newTarget(l *Limiter, _ sp.Target) *target {
	t := &target{
		Limiter: l, known: sqltext.NewCache[*kind](0, 0), kinds: map[string]*kind{},
		law: law{least: float64(l.least), most: float64(l.most)},
	}
	t.law.to(float64(l.initial))
	t.limit = t.law.effective()
	t.permits = permits.New(t.limit, permits.Bounds{
		Queue: l.queue, MaxWait: l.maxWait, Target: l.target, Interval: l.interval, NewestFirst: l.newest,
	})
	t.finish = func(error) { t.permits.Release() }
	return t
}

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
	return &Error{Op: call.Op, Name: t.name, Limit: t.permits.Stats().Limit, Queue: t.queue, Reason: reason}
}

// measured performs a call and learns from it: from a statement when its first
// answer is there, from a transaction when it has ended.
func (t *target) measured(ctx context.Context, call *sp.Call, next sp.Handler) error {
	k := t.kindOf(call)
	began := time.Now()
	if call.Op == sp.OpBegin {
		call.OnFinish(func(error) { t.learn(k, began, says) })
		return next(ctx, call)
	}
	err := next(ctx, call)
	t.learn(k, began, outcomeOf(call, err))
	return err
}

// outcomeOf tells what a call that ended with err says of the database.
func outcomeOf(call *sp.Call, err error) outcome {
	if err != nil {
		switch call.Verdict(err).Class {
		case fault.ClassOverloaded, fault.ClassPoolTimeout, fault.ClassAttemptTimeout:
			return overloaded
		case fault.ClassTimeout, fault.ClassStatementTimeout: // it took as long at least
		default:
			return nothing
		}
	}
	if call.Attempt() > 1 {
		return nothing // pauses are in its time
	}
	return says
}

// learn takes in a call that began then and ends now.
func (t *target) learn(k *kind, began time.Time, o outcome) {
	now := time.Now()
	s := t.permits.Stats()
	t.mu.Lock()
	defer t.mu.Unlock()
	c := told{outcome: o, began: began, ended: now, inUse: s.InUse, heldUp: s.HeldUp}
	if o == says {
		c.ratio, c.known = k.ratio(now.Sub(began), t.law.probing && !t.law.draining || 2*s.InUse < s.Limit)
	}
	if limit := t.law.observe(c); limit != t.limit {
		t.limit = limit
		t.permits.SetLimit(limit)
	}
}

// kindOf returns the kind of a call: by the summary of its text, or by the name of
// the operation that a transaction is.
func (t *target) kindOf(call *sp.Call) *kind {
	text := call.Text
	if text == "" {
		if text = call.Marks.Name; text == "" {
			text = call.Op.String()
		}
		return t.kindNamed(text)
	}
	d := telemetry.DialectOf(call.Target)
	k, ok := t.known.Get(d, text)
	if !ok {
		k = t.kindNamed(telemetry.Describe(d, telemetry.UseOf(call), text).Summary)
		t.known.Put(d, text, k)
	}
	return k
}

func (t *target) kindNamed(name string) *kind {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[name]
	if k == nil {
		if len(t.kinds) >= maxKinds {
			name = ""
		}
		if k = t.kinds[name]; k == nil {
			k = new(kind)
			t.kinds[name] = k
		}
	}
	return k
}
