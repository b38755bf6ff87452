package sessionproxy

import "context"

// Marks are what a caller declares about its calls through the context.
type Marks struct {
	// Idempotent declares that performing the call twice does no harm, so
	// that it may be retried even when it may have taken effect.
	Idempotent bool
	// ReadOnly declares that the call only reads. It implies Idempotent.
	ReadOnly bool
	// NoRetry forbids this library to retry the call.
	NoRetry bool
	// Verifying declares that the call finds out whether a COMMIT whose answer
	// was lost took effect; see [WithVerifying].
	Verifying bool
	// Priority is the call's priority where calls have to wait; see
	// [WithPriority].
	Priority Priority
	// Name is the caller's name for the call, used as the name of its
	// span. It must have low cardinality: never put values into it.
	Name string
	// VerifyCommit reports, after a COMMIT with an unknown outcome, whether the
	// unit of work was committed; see [WithVerifyCommit].
	VerifyCommit func(ctx context.Context) (committed bool, err error)
	// Share names what the call belongs to, such as a tenant; see [WithShare].
	Share string
	// Route is what the caller asks of the [Router] of a handle with several
	// servers, which knows its type; see package cluster.
	Route any
}

// Priority decides which calls go first where calls have to wait. The zero value
// is [PriorityNormal].
type Priority int8

// The priorities, the lowest first.
const (
	// PriorityLow is for work that can wait or be dropped: reports, prefetches.
	PriorityLow Priority = iota - 1
	// PriorityNormal is the priority of a call for which none was set.
	PriorityNormal
	// PriorityHigh is for work that a user waits for.
	PriorityHigh
	// PriorityCritical is for work that must not fail: health checks, payments.
	PriorityCritical
)

// scope is the only value that this library keeps in a context: the marks and the
// enclosing call.
type scope struct {
	marks Marks
	upper *Call
}

type scopeKey struct{}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// MarksFrom returns the marks that ctx carries.
func MarksFrom(ctx context.Context) Marks {
	if s := scopeOf(ctx); s != nil {
		return s.marks
	}
	return Marks{}
}

func withMarks(ctx context.Context, change func(*Marks)) context.Context {
	next := scope{}
	if s := scopeOf(ctx); s != nil {
		next = *s
	}
	change(&next.marks)
	return context.WithValue(ctx, scopeKey{}, &next)
}

// WithIdempotent returns a context whose calls are marked idempotent:
// performing one twice has the same effect as performing it once. It allows a
// retry after an error that leaves open whether the statement took effect.
func WithIdempotent(ctx context.Context) context.Context {
	return withMarks(ctx, func(m *Marks) { m.Idempotent = true })
}

// WithReadOnly returns a context whose calls are marked as only reading.
// It is a declaration, not a check.
func WithReadOnly(ctx context.Context) context.Context {
	return withMarks(ctx, func(m *Marks) { m.ReadOnly = true })
}

// WithNoRetry returns a context whose calls are never retried.
func WithNoRetry(ctx context.Context) context.Context {
	return withMarks(ctx, func(m *Marks) { m.NoRetry = true })
}

// WithCallName returns a context whose calls carry name, which becomes the
// name of their spans. Use a name of low cardinality, such as
// "orders.reserve_stock"; it is recorded as it is. A unit of work takes the
// name for itself: calls inside it do not inherit it.
func WithCallName(ctx context.Context, name string) context.Context {
	return withMarks(ctx, func(m *Marks) { m.Name = name })
}

// WithVerifying returns a context whose calls find out whether a COMMIT whose
// answer was lost took effect. Limits and breakers let them pass, because they are
// needed most when the database is in trouble; one may be the probe that a breaker
// waits for. The retry interceptor marks the context of a verifier with it.
func WithVerifying(ctx context.Context) context.Context {
	return withMarks(ctx, func(m *Marks) { m.Verifying = true })
}

// WithPriority returns a context whose calls have priority p; a value outside the
// named ones counts as the nearest of them. Where calls wait at a limit, those of a
// higher priority are served first, and those of a lower one are refused first.
// It has no effect on calls that need not wait. A unit of work has one priority:
// that of its context.
func WithPriority(ctx context.Context, p Priority) context.Context {
	p = min(max(p, PriorityLow), PriorityCritical)
	return withMarks(ctx, func(m *Marks) { m.Priority = p })
}

// WithShare returns a context whose calls belong to key, such as a tenant or a
// route; "" for none. Where calls wait at a limit, keys of the same priority are
// served in turns, so that a key that floods the limit delays only its own calls.
// Keys are compared and never recorded.
func WithShare(ctx context.Context, key string) context.Context {
	return withMarks(ctx, func(m *Marks) { m.Share = key })
}

// WithRoute returns a context whose calls carry route for the [Router] of their
// handle. Package cluster has functions for what its own understands.
func WithRoute(ctx context.Context, route any) context.Context {
	return withMarks(ctx, func(m *Marks) { m.Route = route })
}

// WithVerifyCommit returns a context whose unit of work is verified if its COMMIT
// was sent and the answer was lost. The function runs outside the lost
// transaction and reports whether that was committed, for instance by looking for
// a row that the unit inserts under a key of its own. If it reports true, the
// unit has succeeded; if false, the unit may be replayed; if it returns an error,
// the caller gets one that matches [ErrCommitUnknown].
//
// The function is called by the retry interceptor; without one in the chain it
// is not used.
func WithVerifyCommit(ctx context.Context, verify func(ctx context.Context) (committed bool, err error)) context.Context {
	return withMarks(ctx, func(m *Marks) { m.VerifyCommit = verify })
}

// scoped is a context and its scope in one allocation, because one is made for
// every statement that a handle or a pool passes down.
type scoped struct {
	context.Context
	scope
}

// Value returns the scope for its key.
func (c *scoped) Value(key any) any {
	if key == (scopeKey{}) {
		return &c.scope
	}
	return c.Context.Value(key)
}

// CallFrom returns the call that ctx belongs to, or nil.
func CallFrom(ctx context.Context) *Call {
	if s := scopeOf(ctx); s != nil {
		return s.upper
	}
	return nil
}
