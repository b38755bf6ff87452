package proxy

import (
	"context"
	"errors"
	"sync"
)

// ErrNoScope means that the context has no session.
var ErrNoScope = errors.New("proxy: the context has no session: it comes from no Scope, or Remove was called")

type scopeKey struct{}

// scope is a session that a context carries, made when it is first asked for.
type scope struct {
	mu      sync.Mutex
	make    func() *Proxy
	proxy   *Proxy
	removed bool
}

// Scope returns a context that carries a blocking session, such as the session
// of a request. The session is created when [FromContext] first asks for it,
// and closed by [Remove]. Derived contexts have the same session, unless they
// have their own scope.
//
// The session is used by one goroutine at a time.
func (m *Maker) Scope(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{make: func() *Proxy { return New(m.Session()) }})
}

// AsyncScope is [Maker.Scope] with an async session.
func (m *Maker) AsyncScope(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, &scope{make: func() *Proxy { return New(m.Async()) }})
}

// FromContext returns the session of ctx's scope: the same one each time.
// Without a scope, or after [Remove], the error matches [ErrNoScope].
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

// Used returns the session of ctx's scope if it was created, otherwise nil, so
// that ending unused scopes creates no sessions.
func Used(ctx context.Context) *Proxy {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proxy
}

// Remove closes the session of ctx's scope for good: uncommitted work is rolled
// back. It does so even if ctx has ended. Without a session, or a second time,
// it does nothing.
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
