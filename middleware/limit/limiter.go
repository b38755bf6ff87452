package limit

import (
	"context"
	"fmt"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/admission"
	"github.com/sessionproxy/sessionproxy/internal/permits"
)

// scopeName is the instrumentation scope of the metrics.
const scopeName = "github.com/sessionproxy/sessionproxy/middleware/limit"

// A Limiter is an interceptor that bounds how many calls run at once, a
// bulkhead. Create it with [New]. It is safe for concurrent use.
type Limiter struct {
	config
	limit   int
	permits *permits.Permits
	meters  *admission.Refusals
	finish  func(error) // gives a permit back, as a finish hook
}

var (
	_ sp.Interceptor = (*Limiter)(nil)
	_ sp.Admitter    = (*Limiter)(nil)
	_ sp.Holding     = (*Limiter)(nil)
)

// New returns an interceptor that runs at most n calls at once, through all
// chains it is in. Others wait in a queue: higher priorities
// ([sp.WithPriority]) are served first, shares ([sp.WithShare]) of one priority
// take turns, and calls of one share are served in order of arrival. A waiting
// priority gets at least one permit in 33, so that none starves. A full queue
// refuses the newest call of the longest share of the lowest priority, whether
// that is the arriving call or a waiting one. Up to 64 waiting shares of a
// priority have a turn each; any beyond share one turn. The queue is bounded,
// see [WithQueue], and so is the wait in it, see [WithMaxWait]; a call whose
// place in the queue is too far back for its deadline, at the pace at which the
// queue has moved since it formed, is refused at once. Refused calls fail with
// a [*Error]; nothing was sent.
//
// A permit lives as long as what the call opened: until the rows are closed or
// the transaction has ended. A unit of work holds one permit from BEGIN to
// COMMIT; calls in a unit of work or a transaction take none of their own,
// whatever database they go to, since waiting for a permit while holding one
// could deadlock. For the same reason, do not start further calls inside a loop
// over rows under a small limit: like a small pool, it may be empty.
// Connecting, taking a connection from a pool and returning it take no permit,
// nor do the steps of a call and the methods of a session, whose statements do.
//
// A call that waits for something other than the database, such as the probe of
// a half-open circuit, returns its permit meanwhile and queues for it again.
//
// Permit first, then connection: a call that already has its connection never
// waits, since the calls that hold the permits may be waiting for that very
// connection. This concerns any call on a connection: of a session, of a
// transaction that the caller began itself, on a connection taken from a pool,
// and every statement of a plain [database/sql.DB], which takes a connection
// before the chain is called. Such a call takes a permit if one is free;
// otherwise it passes, and is counted in Stats.Passed. Only the size of the
// pool bounds those, as set by [database/sql.DB.SetMaxOpenConns]. For a limit
// on all statements and units of work of a service, use a sqldb.Wrap handle, a
// pgxdb.Pool or an engine.
//
// A call that verifies the outcome of a lost COMMIT does not wait either, see
// [sp.WithVerifying].
//
// Outside a retry, a call keeps its permit through all attempts and the pauses
// between them; inside, each attempt waits anew. A timeout outside the limit
// includes the wait, one inside starts after it.
//
// n has to be above 0. A limit that is not below the pool size has no effect:
// see [WithPoolSize].
func New(n int, opts ...Option) (*Limiter, error) {
	if n <= 0 {
		return nil, fmt.Errorf("limit: New(%d): want more than 0", n)
	}
	c := defaultConfig(n)
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	l := &Limiter{config: c, limit: n, permits: permits.New(n, permits.Bounds{Queue: c.queue, MaxWait: c.maxWait})}
	l.finish = func(error) { l.permits.Release() }
	var err error
	l.meters, err = admission.Meters{
		Provider: c.provider, Scope: scopeName, Prefix: "sessionproxy.limit", Name: c.name,
	}.New(l.permits.Waiting, string(QueueFull), string(Deadline), string(MaxWait), string(Shed))
	if err != nil {
		return nil, fmt.Errorf("limit: %w", err)
	}
	c.warnAbout(n)
	return l, nil
}

// Wrap returns a handler that performs a call with next, when there is a
// permit for it, or refuses it.
func (l *Limiter) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if !call.IsEntry() {
			return next(ctx, call)
		}
		if passes(call) { // it must not wait, nor for a permit that it gave back
			if l.permits.Try() {
				call.OnFinish(l.finish)
			}
			return next(ctx, call)
		}
		if err := l.Resume(ctx, call); err != nil {
			return err
		}
		call.Hold(l, l.finish)
		return next(ctx, call)
	}
}

// passes reports whether a call does not wait for a permit: it has a connection,
// or finds out what became of a COMMIT.
func passes(call *sp.Call) bool { return call.Scope == sp.ScopeConn || call.Marks.Verifying }

// Yield returns the permit of a call that waits for something else; see
// [sp.Call.Wait].
func (l *Limiter) Yield(*sp.Call) { l.permits.Release() }

// Resume takes a permit for call, and waits for it in the queue.
func (l *Limiter) Resume(ctx context.Context, call *sp.Call) error {
	waited, reason, err := l.permits.Acquire(ctx, call)
	switch {
	case reason != "":
		return l.refuse(ctx, call, Reason(reason))
	case err != nil: // the caller's context ended while it waited
		return admission.GaveUp(ctx, call, err)
	}
	if waited > 0 {
		call.Event(sp.Event{Kind: sp.EventQueued, Delay: waited, Detail: "limit"})
	}
	return nil
}

// Admit returns the error with which call would be refused now, or nil. It is
// not counted by the metrics.
func (l *Limiter) Admit(ctx context.Context, call *sp.Call) error {
	if !call.IsEntry() || passes(call) {
		return nil
	}
	if reason := l.permits.Foresee(ctx, call); reason != "" {
		return l.refusal(call, Reason(reason))
	}
	return nil
}

func (l *Limiter) refuse(ctx context.Context, call *sp.Call, reason Reason) error {
	err := l.refusal(call, reason)
	l.meters.Add(ctx, string(reason))
	call.Event(sp.Event{Kind: sp.EventRejected, Err: err, Detail: string(reason)})
	return err
}

func (l *Limiter) refusal(call *sp.Call, reason Reason) *Error {
	return &Error{Op: call.Op, Name: l.name, Limit: l.limit, Queue: l.queue, Reason: reason}
}

// Stats is the state of a [Limiter] at one moment.
type Stats struct {
	// Name is what [WithName] set, or "".
	Name string
	// Limit is how many calls may run at once.
	Limit int
	// InUse is how many permits are taken.
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
}

// Stats returns what the limiter is doing now. It does not block for longer
// than it takes to copy the numbers, and is safe for concurrent use.
func (l *Limiter) Stats() Stats {
	s := l.permits.Stats()
	return Stats{
		Name: l.name, Limit: l.limit, InUse: s.InUse, Queue: s.Queue,
		Waiting: s.Waiting, Rejected: s.Rejected, Passed: s.Passed,
	}
}
