package sessionproxy

import (
	"context"
	"slices"
)

// A Holding is something that a running call holds and that others wait for,
// such as the permit of a limit. A call that has to wait for something else
// returns it meanwhile; see [Call.Wait].
type Holding interface {
	// Yield returns what call holds. It does not block.
	Yield(call *Call)
	// Resume takes it again, and waits for it as the first time. After an error
	// the call holds nothing.
	Resume(ctx context.Context, call *Call) error
}

// Hold is [Call.OnFinish] for something an interceptor holds for the call until
// it ends: finish returns it. It is not called if [Call.Wait] could not take it
// again.
func (c *Call) Hold(h Holding, finish func(err error)) {
	c.hooks = append(c.hooks, hook{finish: finish, holding: h})
}

// Wait calls wait, which waits for something other than the database, such as
// the outcome of a probe. Whatever interceptors further out hold for the call
// is returned meanwhile, so that a waiting call starves nobody, and is taken
// again afterwards. Wait returns the error of wait, or the error of taking
// something again. Whatever is held for the unit of work around the call stays
// held, and a fork returns only what is its own.
//
// A call that holds a connection must not wait: others may wait for the
// connection.
func (c *Call) Wait(ctx context.Context, wait func(ctx context.Context) error) error {
	held := c.yield()
	err := wait(ctx)
	if !held {
		return err
	}
	return c.resume(ctx, err)
}

// yield gives back what is held for the call, the innermost first, and reports
// whether there was anything.
func (c *Call) yield() (held bool) {
	for _, hook := range slices.Backward(c.hooks) {
		if hook.holding != nil {
			hook.holding.Yield(c)
			held = true
		}
	}
	return held
}

// resume takes again what yield gave back, the outermost first, unless the call
// has failed by err: then it holds nothing any more.
func (c *Call) resume(ctx context.Context, err error) error {
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
