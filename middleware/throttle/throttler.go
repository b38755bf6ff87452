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

// A Throttler is an interceptor that refuses a part of the calls while the
// database refuses calls. It is made by [New] and safe for concurrent use.
type Throttler struct {
	config
	start   time.Time
	shares  *admission.ByTarget[share]
	counter metric.Int64Counter // nil without a meter provider
}

var _ sp.Interceptor = (*Throttler)(nil)

// New returns an interceptor that throttles as the chapter "Handling Overload"
// of Google's Site Reliability Engineering says: over a window it counts the
// requests, refused ones included, and those that the database accepted, and
// refuses a call with the probability
//
//	max(0, (requests − K × accepts) / (requests + 1))
//
// So as many calls pass as K times those that the database accepts, see
// [WithFactor], and what it spends on refusing is bounded. While it accepts
// everything nothing is refused. Refused calls fail with a [*Error].
//
// It is the server's refusals for want of a resource that count as not accepted
// ([fault.ClassOverloaded]: too many connections, out of memory). Any other
// answer was accepted, an error about the statement too. What says nothing of the
// server's capacity is not counted: no answer, a server that starts or is away, a
// caller that gave up, a refusal by this library. An outage is the breaker's
// business: a throttle would prolong it, since it learns of the return from the
// few calls that it lets through.
//
// Calls that come from outside to work on the database are refused, and the
// making of a connection for them. A unit of work is one call. What belongs to
// another call, or runs in a transaction, always passes.
//
// It belongs inside a retry, so that each attempt counts, and outside a breaker.
// A retry does not repeat what it refuses. Counts are kept per target and role, as
// limits on connections are a role's own; past 1000 targets those that come
// later are counted together.
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
	if p := l.probability(s, began); p > 0 && l.random() < p {
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

// Share returns the part of the calls to a target that is refused now, from 0
// to below 1. A nil target stands for calls of which no target is known.
func (t *Throttler) Share(target *sp.Target) float64 {
	s := t.shares.Get(target)
	return t.probability(s, s.number(time.Since(t.start)))
}
