package sessionproxy

import (
	"context"
	"slices"
)

// A Holding is something that a running call holds and that other calls wait
// for, such as the permit of a limit. [Call.Wait] gives it back while the call
// waits for something else.
type Holding interface {
	// Yield gives back what call holds. It does not block.
	Yield(call *Call)
	// Resume takes it again, waiting for it like the first time. If it returns
	// an error, the call holds nothing.
	Resume(ctx context.Context, call *Call) error
}

// Hold is [Call.OnFinish] for something that an interceptor holds until the
// call ends; finish gives it back. finish is not called if [Call.Wait] could
// not take it again.
func (c *Call) Hold(h Holding, finish func(err error)) {
	c.hooks = append(c.hooks, hook{finish: finish, holding: h})
}

// Wait calls wait, which waits for something other than the database, such as
// the outcome of a probe. Meanwhile everything that interceptors further out
// hold for the call is given back, so that other calls can proceed; it is taken
// again afterwards. Wait returns the error of wait, or the error of taking
// something again. What is held for the enclosing unit of work stays held. What is
// held for a call that was forked is given back while all its forks wait.
//
// A call that holds a connection must not call Wait: other calls may need that
// connection.
func (c *Call) Wait(ctx context.Context, wait func(ctx context.Context) error) error {
	held := c.yield()
	err := wait(ctx)
	if !held {
		return err
	}
	return c.resume(ctx, err)
}

// yield gives back what is held for the call, innermost first, and reports
// whether there was anything.
func (c *Call) yield() (held bool) {
	for _, hook := range slices.Backward(c.hooks) {
		if hook.holding != nil {
			hook.holding.Yield(c)
			held = true
		}
	}
	if c.origin != nil {
		c.origin.pause()
		held = true
	}
	return held
}

// resume takes back what yield gave away, outermost first, unless the call
// failed with err: then it holds nothing any more.
func (c *Call) resume(ctx context.Context, err error) error {
	if c.origin != nil {
		err = c.origin.proceed(ctx, err)
	}
	for i := range c.hooks {
		hook := &c.hooks[i]
		if hook.holding == nil {
			continue
		}
		if err == nil {
			err = hook.holding.Resume(ctx, c)
		}
		if err != nil {
			hook.holding, hook.finish = nil, nil
		}
	}
	return err
}
