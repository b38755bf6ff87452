package throttle

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/admission"
)

// A Throttler is an interceptor that refuses some of the calls while the
// database refuses calls. Create it with [New]. It is safe for concurrent use.
type Throttler struct {
	config
	start   time.Time
	shares  *admission.ByTarget[share]
	counter metric.Int64Counter // nil without a meter provider
}

var _ sp.Interceptor = (*Throttler)(nil)

// New returns an interceptor that throttles as described in the chapter
// "Handling Overload" of Google's Site Reliability Engineering: over a window
// it counts the requests, including refused ones, and those that the database
// accepted, and refuses a call with probability
//
//	max(0, (requests − K × accepts) / (requests + 1))
//
// So K times as many calls pass as the database accepts, see [WithFactor],
// which bounds what it spends on refusals. While it accepts everything, nothing
// is refused. Refused calls fail with a [*Error].
//
// Only the server's refusals for lack of a resource count as not accepted
// ([fault.ClassOverloaded]: too many connections, out of memory). Any other
// answer counts as accepted, even an error about the statement. Anything that
// says nothing about the server's capacity is not counted: no answer, a server
// that is starting or down, a caller that gave up, a refusal by this library.
// Outages are the breaker's job: a throttle would prolong them, since only the
// few calls it lets through would show that the server is back.
//
// It refuses calls that enter from outside to do work on the database, and the
// opening of connections for them. A unit of work is one call. A call that
// belongs to another call, or runs in a transaction, always passes.
//
// Put it inside a retry, so that each attempt counts, and outside a breaker. A
// retry does not retry refused calls. Counts are kept per target and role,
// because connection limits belong to a role; beyond 1000 targets, later ones
// are counted together.
func New(opts ...Option) (*Throttler, error) {
	t := &Throttler{config: defaultConfig(), start: time.Now()}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&t.config); err != nil {
			return nil, err
		}
	}
	var err error
	if t.counter, err = newCounter(t.provider); err != nil {
		return nil, err
	}
	t.shares = admission.NewByTarget(t.newShare)
	return t, nil
}

// share is what is known of one target.
type share struct {
	window
	name   string
	labels metric.MeasurementOption // nil without a meter provider
}

func (t *Throttler) newShare(target sp.Target) *share {
	s := &share{window: window{period: t.window / periods}, name: target.String()}
	if t.counter != nil {
		s.labels = labels(target)
	}
	return s
}

// Wrap returns a handler that performs a call with next, or refuses it.
func (t *Throttler) Wrap(next sp.Handler) sp.Handler {
	l := &link{Throttler: t, next: next}
	return l.handle
}

// link is a Throttler's place in one chain.
type link struct {
	*Throttler
	next sp.Handler
	last atomic.Pointer[known]
}

// known remembers the target that the link's calls go to, which for one handle
// hardly ever changes.
type known struct {
	target *sp.Target
	share  *share
}

func (l *link) share(target *sp.Target) *share {
	if k := l.last.Load(); k != nil && k.target == target {
		return k.share
	}
	s := l.shares.Get(target)
	l.last.Store(&known{target: target, share: s})
	return s
}

func (l *link) handle(ctx context.Context, call *sp.Call) error {
	if !concerned(call) {
		return l.next(ctx, call)
	}
	s := l.share(call.Target)
	began := s.number(time.Since(l.start))
	if p := l.probability(s, began); p > 0 && !call.Marks.Verifying && l.random() < p {
		s.add(began, oneRequest)
		return l.refuse(ctx, call, s, p)
	}
	err := l.next(ctx, call)
	if what := judge(call, err); what != 0 && !s.add(began, what) {
		s.add(s.number(time.Since(l.start)), what) // it took longer than the window
	}
	return err
}

// concerned reports whether a call is counted and may be refused: one from
// outside, and the making of its connection where that is a call of its own.
func concerned(call *sp.Call) bool {
	switch call.Op {
	case sp.OpConnect, sp.OpAcquire:
		return !call.Step() && !call.InTx && call.Unit() == nil
	}
	return call.IsEntry()
}

// judge returns what a call counts as. A connection taken from a pool says
// nothing of the server; nor does a success that nobody asked it for.
func judge(call *sp.Call, err error) uint64 {
	if err == nil {
		if call.Op == sp.OpAcquire {
			return 0
		}
		return oneRequest | oneAccept
	}
	v := call.Verdict(err)
	switch {
	case v.Class == fault.ClassRejected:
		return 0
	case v.Breaker == fault.BreakerFailure && v.Class == fault.ClassOverloaded:
		return oneRequest
	case v.Answered || v.Breaker == fault.BreakerSuccess:
		return oneRequest | oneAccept
	}
	return 0
}

// probability returns the probability with which a call is refused in a period.
func (t *Throttler) probability(s *share, number uint64) float64 {
	requests, accepts := s.counts(number)
	over := float64(requests) - t.factor*float64(accepts)
	if over <= 0 {
		return 0
	}
	return over / float64(requests+1)
}

func (l *link) refuse(ctx context.Context, call *sp.Call, s *share, p float64) error {
	err := &Error{Op: call.Op, Target: s.name, Share: p}
	l.refused(ctx, s)
	call.Event(sp.Event{Kind: sp.EventRejected, Err: err, Detail: "throttle"})
	return err
}

// Share returns the fraction of the calls to a target that is refused now, from
// 0 to below 1. A nil target means calls whose target is unknown.
func (t *Throttler) Share(target *sp.Target) float64 {
	s := t.shares.Get(target)
	return t.probability(s, s.number(time.Since(t.start)))
}
