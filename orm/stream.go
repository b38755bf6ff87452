package orm

import (
	"context"

	"github.com/sessionproxy/sessionproxy/engine"
)

// Stream flushes, runs a statement in the session's transaction and holds one
// window of its rows in memory. The stream has to be closed, unless it is read
// to its end. Until then the session can do nothing else that needs the
// database: the error matches [engine.ErrConnBusy]; Commit, Rollback and Close
// end it. So does the end of ctx.
//
// The rows are no objects of the session: see [Select.Each] for those.
func (s *Session) Stream(ctx context.Context, st engine.Statement, opts ...engine.StreamOption) (rows *engine.Stream, err error) {
	err = s.run(ctx, opStream, func(inside context.Context) error {
		conn, err := s.ready(inside)
		if err != nil {
			return err
		}
		rows, err = conn.Stream(lasting{ctx, inside}, st, opts...)
		return err
	})
	return rows, err
}

// lasting is the context of what outlives the method that opens it: it ends with
// the method's caller, and not with what interceptors have made for the method.
type lasting struct {
	context.Context
	values context.Context //nolint:containedctx // for what it knows
}

// Value implements [context.Context].
func (c lasting) Value(key any) any { return c.values.Value(key) }
