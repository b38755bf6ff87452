package proxy

import (
	"context"
	"errors"
	"sync"
)

// ErrNoScope is matched by asking a context for its session that has none.
var ErrNoScope = errors.New("proxy: the context has no session: it comes from no Scope, or Remove was called")

type scopeKey struct{}

// scope is a session that a context carries, made when it is first asked for.
type scope struct {
	mu      sync.Mutex
	make    func() *Proxy
	proxy   *Proxy
	removed bool
}

// Scope returns a context that carries a blocking session, as one for all that
// is done for a request. The session is made when [FromContext] first asks for
// it, and [Remove] closes it. A context within has the same session, unless it
// has a scope of its own.
//
// The session is used by one goroutine at a time, whoever finds it.
func (m *Maker) Scope(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{make: func() *Proxy { return New(m.Session()) }})
}

// AsyncScope is [Maker.Scope] with an awaited session.
func (m *Maker) AsyncScope(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{make: func() *Proxy { return New(m.Async()) }})
}

// FromContext returns the session of the scope that ctx is in: the same one
// each time. Without a scope, or after [Remove], the error matches [ErrNoScope].
func FromContext(ctx context.Context) (*Proxy, error) {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	if s == nil {
		return nil, ErrNoScope
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		return nil, ErrNoScope
	}
	if s.proxy == nil {
		s.proxy = s.make()
	}
	return s.proxy, nil
}

// Used returns the session of the scope that ctx is in if it was asked for,
// otherwise nil: to end what nobody has begun is not worth a session.
func Used(ctx context.Context) *Proxy {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proxy
}

// Remove closes the session of the scope that ctx is in, for good: what it has
// not committed is rolled back. It does so also when ctx is over. Without a
// session it does nothing; removing twice neither.
func Remove(ctx context.Context) error {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	p := s.proxy
	s.proxy, s.removed = nil, true
	s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	switch {
	case p == nil:
		return nil
	case p.IsAsync():
		return p.awaited.closeForGood(ctx).Await(ctx)
	default:
		return p.Close(ctx).Await(ctx)
	}
}
