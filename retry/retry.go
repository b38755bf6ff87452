package retry

import (
	"context"
	"sync/atomic"

	"github.com/sessionproxy/sessionproxy"
)

// Retry is an interceptor that retries calls. Create it with [New]. It is safe
// for concurrent use and may serve several handles, which then share its
// budget.
type Retry struct {
	config
	meters *meters // nil without a meter provider
}

// New returns a retry interceptor. Without options it makes at most 3
// attempts, pauses with full jitter, and has its own budget. An option with a
// value out of its range is an error.
func New(opts ...Option) (*Retry, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	r := &Retry{config: c}
	if c.provider != nil {
		m, err := newMeters(c.provider, c.budget)
		if err != nil {
			return nil, err
		}
		r.meters = m
	}
	return r, nil
}

// Wrap returns a handler that retries next by the rules of the package.
func (r *Retry) Wrap(next sessionproxy.Handler) sessionproxy.Handler {
	h := &handler{retry: r, next: next}
	return h.handle
}

// handler is a Retry around the next handler of one chain.
type handler struct {
	retry *Retry
	next  sessionproxy.Handler
	first atomic.Pointer[seat]
}

// seat is the bucket of the target that a handle saw first, which for most
// handles is the only one: it is found without a look into a map.
type seat struct {
	target *sessionproxy.Target
	bucket *bucket
}

func (h *handler) handle(ctx context.Context, call *sessionproxy.Call) error {
	if !eligible(call) {
		return h.next(ctx, call)
	}
	// A call of a caller that has given up would fail in the driver, at the
	// cost of a connection taken from the pool.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := call.Try(ctx, h.next); err != nil {
		return h.again(ctx, call, err)
	}
	if h.retry.budget != nil {
		h.retry.budget.succeeded(h.bucket(call.Target))
	}
	return nil
}

// bucket returns the budget's bucket for a target.
func (h *handler) bucket(t *sessionproxy.Target) *bucket {
	first := h.first.Load()
	if first == nil {
		first = &seat{target: t, bucket: h.retry.budget.bucket(t)}
		h.first.Store(first)
	}
	if first.target != t {
		return h.retry.budget.bucket(t)
	}
	return first.bucket
}
