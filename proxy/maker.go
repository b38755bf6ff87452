package proxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// Maker makes sessions with the same options. It is immutable and safe for
// concurrent use.
type Maker struct {
	eng     *engine.Engine
	awaited asyncConfig
	tx      []engine.TxOption

	keepStale bool // a lost race is not replayed
}

var errNoMakerEngine = errors.New("proxy: make a maker: the engine is nil")

// NewMaker returns a maker of sessions on an engine. An option with a bad value
// is an error that names it.
func NewMaker(eng *engine.Engine, opts ...MakerOption) (*Maker, error) {
	if eng == nil {
		return nil, errNoMakerEngine
	}
	return (&Maker{eng: eng, awaited: defaultAsyncConfig()}).with(opts)
}

// with returns a maker with more options.
func (m *Maker) with(opts []MakerOption) (*Maker, error) {
	out := *m
	out.awaited.session = append([]orm.Option(nil), m.awaited.session...)
	out.tx = append([]engine.TxOption(nil), m.tx...)
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.applyMaker(&out); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// With returns a maker whose sessions differ from those of m by these options.
func (m *Maker) With(opts ...MakerOption) (*Maker, error) { return m.with(opts) }

// Engine returns the engine of the sessions.
func (m *Maker) Engine() *engine.Engine { return m.eng }

// Session returns a new blocking session. It has to be closed.
func (m *Maker) Session() *Session { return NewSession(m.eng, m.awaited.session...) }

// Async returns a new async session. It has to be closed.
func (m *Maker) Async() *AsyncSession { return newAsync(m.eng, m.awaited) }

// Begin calls fn with a new session in a transaction: it commits if fn returns
// nil, and rolls back if fn returns an error, panics, or ends its goroutine. fn
// runs once; see [Maker.Run] for a unit of work that is replayed.
//
// fn must not end the transaction: Commit, Rollback, Close, Reset and Invalidate
// of the session do nothing but fail with an error that matches
// [engine.ErrTransactionManaged]. If fn calls one of them, except Commit, and
// returns nil, Begin returns that error, and everything is rolled back.
func (m *Maker) Begin(ctx context.Context, fn func(ctx context.Context, s *Session) error) (err error) {
	s := m.Session()
	defer func() {
		if cerr := s.Close(ctx); err == nil {
			err = cerr
		}
	}()
	if err := s.Begin(ctx); err != nil {
		return err
	}
	if err := keeping(ctx, s, fn); err != nil {
		return err
	}
	return s.Commit(ctx)
}

// keeping calls fn with a session whose transaction it can't end.
func keeping(ctx context.Context, s *Session, fn func(ctx context.Context, s *Session) error) error {
	return guarded(s.Session, func() error { return fn(ctx, s) })
}

// guarded calls fn, which can't end the transaction of a session.
func guarded(s *orm.Session, fn func() error) (err error) {
	release := s.Tasks().Keep()
	defer func() {
		if broken := release(); broken && err == nil {
			err = fmt.Errorf("proxy: run: the function has tried to end its transaction: return an error to roll back: %w", engine.ErrTransactionManaged)
		}
	}()
	return fn()
}

// Run calls fn with a new session in a transaction, as one unit of work: it
// flushes and commits if fn returns nil, and rolls back if fn returns an error,
// panics, or ends its goroutine. The unit is one call of the chain: with a
// retry in it, fn may run several times, each with a new session, if the unit
// failed with a fault that allows this and was certainly rolled back. It is
// judged as [engine.Engine.RunInTx] says, also if fn returns an error of its
// own. Anything else that fn does must tolerate that; objects of an earlier run
// are detached. A row that another transaction has changed in between
// ([orm.StaleDataError]) is such a fault, unless [WithoutStaleReplay] says
// otherwise. If COMMIT was sent and its answer lost, the error matches
// [github.com/sessionproxy/sessionproxy/fault.ErrCommitUnknown].
//
// Only fn may use the session, and it must not end the transaction, as with
// [Maker.Begin]. A Run with the context that fn got joins the transaction, with
// its own session.
func (m *Maker) Run(ctx context.Context, fn func(ctx context.Context, s *Session) error) error {
	return m.unit(ctx, func(ctx context.Context, tx *engine.Tx) (err error) {
		s := &Session{orm.NewSessionIn(tx, m.awaited.session...)}
		defer func() {
			if cerr := s.Close(ctx); err == nil {
				err = cerr
			}
		}()
		defer func() {
			if err != nil {
				_ = s.Rollback(ctx) // among the objects alone
			}
		}()
		if err := keeping(ctx, s, fn); err != nil {
			return err
		}
		return s.Flush(ctx)
	})
}

// unit runs a unit of work as the options say.
func (m *Maker) unit(ctx context.Context, fn func(ctx context.Context, tx *engine.Tx) error) error {
	if !m.keepStale {
		return m.eng.RunInTx(ctx, fn, m.tx...)
	}
	err := m.eng.RunInTx(ctx, func(ctx context.Context, tx *engine.Tx) error {
		err := fn(ctx, tx)
		if stale, ok := errors.AsType[*orm.StaleDataError](err); ok && stale != nil {
			return &lostRaceError{err}
		}
		return err
	}, m.tx...)
	if lost, ok := errors.AsType[*lostRaceError](err); ok {
		return lost.err
	}
	return err
}

// lostRaceError is the error of a unit that is not to be replayed: nobody sees what is
// in it.
type lostRaceError struct{ err error }

func (e *lostRaceError) Error() string { return e.err.Error() }

// BeginAsync is [Maker.Begin] with an async session. It waits for fn's
// operations; if one has failed and nobody has awaited it, everything is rolled
// back, and BeginAsync returns its error.
func (m *Maker) BeginAsync(ctx context.Context, fn func(ctx context.Context, a *AsyncSession) error) (err error) {
	a := m.Async()
	defer func() {
		if cerr := a.closeForGood(ctx).Await(context.WithoutCancel(ctx)); err == nil {
			err = cerr
		}
	}()
	if err := a.Begin(ctx).Await(ctx); err != nil {
		return err
	}
	if err := keepingAsync(ctx, a, fn); err != nil {
		a.forget(ctx) // fn's error is the one to act on
		return err
	}
	return a.Commit(ctx).Await(ctx)
}

// RunAsync is [Maker.Run] with an async session: each run waits for fn's
// operations. If one has failed and nobody has awaited it, its error is the
// unit's.
func (m *Maker) RunAsync(ctx context.Context, fn func(ctx context.Context, a *AsyncSession) error) error {
	return m.unit(ctx, func(ctx context.Context, tx *engine.Tx) (err error) {
		a := asyncOf(orm.NewSessionIn(tx, m.awaited.session...), m.awaited)
		defer func() {
			if err != nil {
				a.forget(ctx)
				_ = a.Rollback(ctx).Await(context.WithoutCancel(ctx)) // among the objects alone
			}
			if cerr := a.closeForGood(ctx).Await(context.WithoutCancel(ctx)); err == nil {
				err = cerr
			}
		}()
		if err := keepingAsync(ctx, a, fn); err != nil {
			return err
		}
		if err := a.Flush(ctx).Await(ctx); err != nil {
			return err
		}
		if err := a.unseen(ctx); err != nil {
			return fmt.Errorf("proxy: run: operations failed that nobody awaited: %w", err)
		}
		return nil
	})
}

// keepingAsync is keeping for an async session.
func keepingAsync(ctx context.Context, a *AsyncSession, fn func(ctx context.Context, a *AsyncSession) error) error {
	return guarded(a.core, func() error {
		err := fn(ctx, a)
		a.streams.End(ctx)
		if werr := a.due.ApplyAll(context.WithoutCancel(ctx)); err == nil { // while the transaction is kept
			err = werr
		}
		return err
	})
}
