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

// A Limiter is an interceptor that bounds how many calls are at work at once,
// a bulkhead. It is made by [New] and safe for concurrent use.
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

// New returns an interceptor that lets at most n calls be at work at once,
// through all chains it is in. What comes beyond waits in a queue: those of a
// higher priority ([sp.WithPriority]) are served first, shares ([sp.WithShare])
// of one priority in turns, and calls of one share in the order in which they
// came. A level that waits gets one permit in 33 at least, so that none starves. A
// full queue refuses the newest call of the longest share of the lowest priority,
// be it the one that comes or one that waits. 64 shares of a priority have turns of
// their own while they wait; those beyond have theirs together. The queue is bounded, see [WithQueue], and so is the wait in
// it, see [WithMaxWait]; a call whose place in the queue is too far back for
// its deadline, at the pace at which the queue has moved since it formed, is
// refused at once. Refused calls fail with a [*Error]; nothing was sent.
//
// A permit lives as long as what the call opened: until the rows are closed or
// the transaction has ended. A unit of work holds one permit from BEGIN to
// COMMIT; calls in a unit or a transaction take none of their own, whatever
// database they go to, since waiting for one while holding one could last for
// ever. For the same reason, do not read rows and start further calls from
// inside the loop under a small limit: like a small pool, it may be empty.
// Connecting, taking a connection from a pool and giving it back take no
// permit, nor do the steps of a call and the methods of a session, whose
// statements do.
//
// A call that waits for something else than the database, such as the probe of a
// half-open circuit, gives its permit back meanwhile and queues for it again.
//
// Permit first, then connection: a call that has its connection already never
// waits, since the calls that have the permits may wait for just that connection.
// That is any call on a connection: of a session, of a transaction begun by hand,
// on a connection that was taken from a pool, and every statement of a plain
// [database/sql.DB], which takes a connection before the chain learns of the call.
// Such a call takes a permit if one is free; otherwise it passes, and is counted
// in Stats.Passed. What bounds those is the pool's size, as
// [database/sql.DB.SetMaxOpenConns] sets it; to have a limit bound the statements
// and units of a service, use the handle of sqldb.Wrap, a pgxdb.Pool or an engine.
//
// Nor does a call wait that finds out what became of a COMMIT whose answer was
// lost, see [sp.WithVerifying].
//
// Outside a retry, a call keeps its permit through all attempts and the pauses
// between them; inside, each attempt waits anew. A time limit outside of it
// includes the wait, one inside starts after it.
//
// n has to be above 0. A limit at or above the size of the pool holds nobody
// back that the pool would not: see [WithPoolSize].
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

// Yield gives back the permit of a call that waits for something else; see
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

// Stats is what a [Limiter] is doing at one moment.
type Stats struct {
	// Name is what [WithName] set, or "".
	Name string
	// Limit is how many calls may be at work at once.
	Limit int
	// InUse is how many permits are taken.
	InUse int
	// Queue is how many calls may wait.
	Queue int
	// Waiting is how many calls wait.
	Waiting int
	// Rejected is how many calls have been refused so far.
	Rejected int64
	// Passed is how many calls have passed without a permit so far, since they
	// had their connection already and no permit was free.
	Passed int64
}

// Stats returns what the limiter is doing now. It does not block for longer
// than it takes to copy the numbers, and is safe for concurrent use.
func (l *Limiter) Stats() Stats {
	s := l.permits.Stats()
	return Stats{
		Name: l.name, Limit: s.Limit, InUse: s.InUse, Queue: s.Queue,
		Waiting: s.Waiting, Rejected: s.Rejected, Passed: s.Passed,
	}
}
