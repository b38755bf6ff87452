package sessionproxy

import "slices"

import "context"

// A Handler performs a call. The innermost handler of a chain, its core, talks
// to the database; each other one is made by an [Interceptor] around the next.
//
// A handler is safe for concurrent use: one handler serves every call of the
// handle it was composed for.
type Handler func(ctx context.Context, call *Call) error

// An Interceptor adds behaviour around calls.
//
// Wrap is called once per handle, when the handle is built, and returns the
// handler that calls pass through. That handler
//
//   - calls next zero or more times: zero to refuse the call, more than once
//     only through [Call.Try], one after the other, or on forks of the call
//     ([Call.Fork]) at the same time;
//   - passes on the context it was given or one derived from it, which has to
//     live until the call is finished if it can be cancelled;
//   - registers with [Call.OnFinish] what has to happen when the call's result has been used, which for a query is after the handler has returned;
//   - keeps no reference to the call after its finish hook has run, or after it
//     returned if it registered none: calls are pooled;
//   - is safe for concurrent use.
//
// An interceptor that can tell in advance that it would refuse a call may
// implement [Admitter] too.
type Interceptor interface {
	// Wrap returns a handler that adds the interceptor's behaviour to next.
	// It must not call next.
	Wrap(next Handler) Handler
}

// InterceptorFunc makes an [Interceptor] of a function.
type InterceptorFunc func(next Handler) Handler

// Wrap returns f(next).
func (f InterceptorFunc) Wrap(next Handler) Handler { return f(next) }

// An Admitter is an [Interceptor] that can refuse a call before it is queued or
// costs anything. Admit returns nil, or the error with which the call would be
// refused. It changes nothing, does not block, and is safe for concurrent use.
type Admitter interface {
	// Admit returns the error with which call would be refused now, or nil.
	Admit(ctx context.Context, call *Call) error
}

// A Chain is an ordered list of interceptors. The zero Chain is empty and
// ready for use. A Chain is immutable and safe for concurrent use.
type Chain struct {
	links     []Interceptor
	admitters []Admitter
}

// NewChain returns the chain of interceptors; the first one is outermost: it
// sees a call first and its result last. Nil interceptors are skipped.
func NewChain(interceptors ...Interceptor) Chain {
	return Chain{}.Append(interceptors...)
}

// Append returns a chain with interceptors added inside those of c, which is
// not changed. Nil interceptors are skipped.
func (c Chain) Append(interceptors ...Interceptor) Chain {
	out := Chain{
		links:     append([]Interceptor(nil), c.links...),
		admitters: append([]Admitter(nil), c.admitters...),
	}
	for _, i := range interceptors {
		if i == nil {
			continue
		}
		out.links = append(out.links, i)
		if a, ok := i.(Admitter); ok {
			out.admitters = append(out.admitters, a)
		}
	}
	return out
}

// Len returns the number of interceptors.
func (c Chain) Len() int { return len(c.links) }

// Then composes the chain around core and returns the outermost handler. Each
// interceptor's Wrap runs once, here; a call then costs one indirect call per
// interceptor. With an empty chain Then returns core itself.
func (c Chain) Then(core Handler) Handler {
	for _, v := range slices.Backward(c.links) {
		core = v.Wrap(core)
	}
	return core
}

// Admit calls every interceptor that is an [Admitter], outermost first, and
// returns the first refusal, or nil.
func (c Chain) Admit(ctx context.Context, call *Call) error {
	for _, a := range c.admitters {
		if err := a.Admit(ctx, call); err != nil {
			return err
		}
	}
	return nil
}
