package proxy

import (
	"context"
	"fmt"

	"github.com/sessionproxy/sessionproxy/engine"
	"github.com/sessionproxy/sessionproxy/orm"
)

// BeginAsync is [Maker.Begin] with an awaited session. It waits for what fn has
// asked for; an operation that has failed and that nobody has awaited is
// BeginAsync's error, and everything is rolled back.
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

// RunAsync is [Maker.Run] with an awaited session: it waits for what fn has asked
// for, and so does each replay. An operation that has failed and that nobody has
// awaited is the unit's error.
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

// keepingAsync is keeping for an awaited session.
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
