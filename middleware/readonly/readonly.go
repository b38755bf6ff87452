package readonly

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// New returns an interceptor that refuses calls that write, with a
// [*Error]; nothing was sent. It is for what must not write by mistake:
// a handle on a replica, a report, a service in maintenance ([WithIf]).
//
// A statement is let through if its text is certain to read, as far as a text
// can tell: SELECT, VALUES, TABLE, WITH, SHOW, EXPLAIN, DESCRIBE without a word
// of change in it (INTO, FOR UPDATE, a DELETE in a common table expression) and
// without a function of the database that is known to act, such as nextval.
// So is what opens, uses and ends transactions, connections and cursors. All
// else is refused, a text that is not understood as well: SET, PRAGMA, CALL,
// COPY. [WithPermission] lets through what you know better. Of a batch or of
// several statements in one text, each has to read. A session's methods pass:
// the statements they send are looked at.
//
// It can't see into functions and views of your own, and it is no defence
// against a caller that means harm: that is the database's, with a role that
// may only read or with transactions that are READ ONLY.
//
// What the caller declared ([sp.WithReadOnly]) is not asked: the guard is there
// for when that is wrong. Put it outside of whatever should not see refused
// calls; a retry does not repeat them, a breaker does not count them. A text is
// read once and then known.
func New(opts ...Option) (sp.Interceptor, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return &readOnly{c}, nil
}

// readOnly is what New returns.
type readOnly struct{ config }

var (
	_ sp.Admitter  = (*readOnly)(nil)
	_ sp.Bystander = (*readOnly)(nil)
)

// Wrap returns a handler that refuses what writes.
func (r *readOnly) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if err := r.Admit(ctx, call); err != nil {
			call.Event(sp.Event{Kind: sp.EventRejected, Err: err, Detail: "read_only"})
			return err
		}
		return next(ctx, call)
	}
}

// Admit returns the error with which call would be refused, or nil.
func (r *readOnly) Admit(ctx context.Context, call *sp.Call) error {
	switch {
	case passes(call):
		return nil
	case r.active != nil && !r.active(ctx):
		return nil
	case r.permit != nil && r.permit(ctx, call):
		return nil
	}
	return &Error{Op: call.Op}
}

// Unconcerned reports whether the guard is switched off.
func (r *readOnly) Unconcerned(ctx context.Context, _ sp.Op) bool {
	return r.active != nil && !r.active(ctx)
}

// passes reports whether a call is certain to write nothing by itself.
func passes(call *sp.Call) bool {
	switch call.Op {
	case sp.OpExec, sp.OpQuery, sp.OpPrepare, sp.OpBatch:
		return sqltext.ReadingOf(telemetry.DialectOf(call.Target), call.Text).Reads
	case sp.OpCopy, sp.OpUnknown:
		return false
	}
	return true
}

// Error is the error of a call that the guard refused: nothing was sent. It matches [fault.ErrRejected].
type Error struct {
	// Op is the call's operation.
	Op sp.Op
}

// Error returns a message that tells the operation. It does not show the
// statement, which may have values in it.
func (e *Error) Error() string {
	return "readonly: " + e.Op.String() + ": refused, since only reading is allowed here and this is not certain to read"
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
