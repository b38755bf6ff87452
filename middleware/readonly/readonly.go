package readonly

import (
	"context"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// New returns an interceptor that refuses calls that write, with a
// [*Error]; nothing was sent. Use it where nothing must be written by mistake:
// a handle on a replica, a report, a service in maintenance ([WithIf]).
//
// A statement passes if its text is certain to only read, as far as the text
// shows: SELECT, VALUES, TABLE, WITH, SHOW, EXPLAIN, DESCRIBE without any part
// that changes something (INTO, FOR UPDATE, a DELETE in a common table
// expression) and without a database function known to have effects, such as
// nextval. Statements that open, use and end transactions, connections and
// cursors pass too. Everything else is refused, including text that is not
// understood: SET, PRAGMA, CALL, COPY. [WithPermission] makes exceptions. In a
// batch, or a text with several statements, each one has to read. A session's
// methods pass: the statements they send are checked.
//
// It can't see into functions and views of your own, and it does not protect
// against a malicious caller: for that use the database, with a role that may
// only read or with READ ONLY transactions.
//
// The guard ignores the caller's mark ([sp.WithReadOnly]), which may be wrong.
// Put it outside the interceptors that should not see refused calls; a retry
// does not retry them, a breaker does not count them. Each text is analysed
// once and the result cached.
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
	_ sp.Admitter = (*readOnly)(nil)
	_ sp.Enabler  = (*readOnly)(nil)
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
	case !r.on(ctx):
		return nil
	case r.permit != nil && r.permit(ctx, call):
		return nil
	}
	return &Error{Op: call.Op}
}

// Enabled reports whether the guard is switched on.
func (r *readOnly) Enabled(ctx context.Context, _ sp.Op) bool { return r.on(ctx) }

func (r *readOnly) on(ctx context.Context) bool { return r.active == nil || r.active(ctx) }

// passes reports whether a call is certain to write nothing by itself.
func passes(call *sp.Call) bool {
	switch call.Op {
	case sp.OpExec, sp.OpQuery, sp.OpPrepare, sp.OpBatch:
		return sqltext.AccessOf(telemetry.DialectOf(call.Target), call.Text).ReadOnly
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

// Error returns a message with the operation. It does not show the statement,
// which may contain values.
func (e *Error) Error() string {
	return "readonly: " + e.Op.String() + ": refused, since only reading is allowed here and this is not certain to read"
}

// Unwrap returns [fault.ErrRejected].
func (*Error) Unwrap() error { return fault.ErrRejected }
