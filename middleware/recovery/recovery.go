package recovery

import (
	"context"
	"runtime/debug"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// New returns an interceptor that turns a panic below it into an error: a panic
// of an interceptor, of a driver, or of the caller's function in a unit of
// work. The call then fails with a [*PanicError], which is never retried. Other
// interceptors see it like any error, so put recovery inside tracing and
// logging, or use it twice.
//
// A unit of work whose function panics is rolled back before the panic gets
// here. To pass the panic on to the caller after that, name [sp.OpTransaction]
// in [WithoutFor].
//
// The error of a COMMIT during which a driver panicked matches
// [sp.ErrCommitUnknown] as well: it may have been sent. runtime.Goexit is not a
// panic and passes.
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
	return &recoverer{c}, nil
}

// recoverer is what New returns.
type recoverer struct{ config }

// Wrap returns a handler that recovers from panics in next.
func (r *recoverer) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) (err error) {
		if r.passes[call.Op] {
			return next(ctx, call)
		}
		defer func() {
			if v := recover(); v != nil {
				err = r.recovered(ctx, call, v)
			}
		}()
		return next(ctx, call)
	}
}

// recovered returns the error for a panic with v. It runs on the stack of the
// panic.
func (r *recoverer) recovered(ctx context.Context, call *sp.Call, v any) error {
	p := &PanicError{Op: call.Op, Value: v, Stack: debug.Stack()}
	var err error = p
	// The call may have been judged for an error that the panic replaced. The
	// context has no say: a panic is nobody's giving up.
	verdict := call.Judge(context.Background(), err, call.Op.Phase(), fault.ProgressUnknown)
	if call.Op == sp.OpCommit && verdict.Outcome == fault.OutcomeUnknown {
		err = &fault.CommitError{Err: p}
		call.Judge(context.Background(), err, call.Op.Phase(), fault.ProgressUnknown)
	}
	call.Event(sp.Event{Kind: sp.EventPanic, Err: err, Detail: typeName(v)})
	if r.report != nil {
		r.report(ctx, p)
	}
	return err
}
