package proxy

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// A Handle is a session of any kind: a [*Session], an [*AsyncSession] or a
// [*Proxy] around one of them. The functions of this package, such as [Get],
// take any of them.
type Handle interface {
	// handle returns the session, one of the two.
	handle() (blocking *Session, awaited *AsyncSession)
}

// Session is the blocking session: an [orm.Session] that is a [Handle] of this
// package too. The functions of package orm take it:
//
//	user, err := orm.Get[User](ctx, s, 7)
//
// It is used by one goroutine at a time.
type Session struct{ *orm.Session }

// NewSession returns a blocking session on an engine. It has to be closed.
func NewSession(eng *engine.Engine, opts ...orm.Option) *Session {
	return &Session{orm.NewSession(eng, opts...)}
}

func (s *Session) handle() (*Session, *AsyncSession) { return s, nil }

// With calls fn with the session, and closes it at the end, whatever fn
// returns. Only what fn has committed is committed.
func (s *Session) With(ctx context.Context, fn func(ctx context.Context, s *Session) error) (err error) {
	defer func() {
		if cerr := s.Close(ctx); err == nil {
			err = cerr
		}
	}()
	return fn(ctx, s)
}
