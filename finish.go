package sessionproxy

import "context"

// OnFinish registers a function that runs exactly once when the call, or the
// attempt it was registered in, is over: for a call without a result of its
// own before the handler returns to the caller, for one that opened rows when
// they are closed, for BEGIN when the transaction ends. It gets the error with
// which the call or attempt ended, nil, or [ErrAborted]. Hooks run in reverse
// order of their registration, also when the caller's context is cancelled and
// when a handler panics; for rows, on the goroutine that closes them. A hook
// must not panic or block.
func (c *Call) OnFinish(finish func(err error)) { c.hooks = append(c.hooks, hook{finish: finish}) }

// KeepOpen says that the call's result lives on after the handler returns.
// Operations call it from Do, once the result exists; the call is then
// finished by [Call.Finish].
func (c *Call) KeepOpen() { c.open = true }

// Open reports whether the operation left a result open that is finished
// later. An interceptor may ask after next returned without an error.
func (c *Call) Open() bool { return c.open }

// Run passes the call through h and finishes it, unless its result stays
// open. If open is true, the call belongs to whoever holds the result, who
// ends it with [Call.Finish]; the caller must not touch the call any more.
// Otherwise every finish hook has run and the call is the caller's again.
// Panics and runtime.Goexit pass through, with the call finished.
func (c *Call) Run(ctx context.Context, h Handler) (open bool, err error) {
	returned := false
	defer func() {
		if !returned {
			c.discard()
			c.unwind(0, ErrAborted)
		}
	}()
	err = h(ctx, c)
	returned = true
	if c.open && err == nil {
		return c.hand(), nil
	}
	if c.open {
		c.discard()
	}
	c.unwind(0, err)
	return false, err
}

// hand gives the open result to the caller, unless it has ended meanwhile. A
// call whose end nobody waits for stays as it is: nothing will happen then.
func (c *Call) hand() (open bool) {
	if c.Loose() || c.state.Or(handlersDone)&resultDone == 0 {
		return true
	}
	c.end(c.endErr)
	return false
}

// Finish ends a call whose result was left open, with the error the result
// ended with, or nil. Only the first call of Finish counts. It returns true
// when it ran the finish hooks, after which the call is free to be pooled; it
// returns false when the handlers are still at work, so that [Call.Run] will
// run them, when there are none, or when the call was finished before. It is
// safe for concurrent use with Run and with itself, and may be called by a
// finish hook, where it does nothing.
func (c *Call) Finish(err error) bool {
	if heir := c.heir.Load(); heir != nil {
		return heir.Finish(err)
	}
	if c.state.Or(finishing)&finishing != 0 {
		return false
	}
	c.endErr = err
	if c.state.Or(resultDone)&handlersDone != 0 {
		c.end(err)
		return true
	}
	if heir := c.heir.Load(); heir != nil { // adopted in this moment
		return heir.Finish(err)
	}
	return false
}

// Loose reports whether nobody waits for the end of a call that [Call.Run] has
// just returned open. Then its result can go to the caller as it is, and the
// call is free to be pooled without [Call.Finish]. An attachment asks before it
// hands the result to anyone.
func (c *Call) Loose() bool { return len(c.hooks) == 0 && c.state.Load() == 0 }

// end finishes a call whose open result has ended.
func (c *Call) end(err error) {
	if s, ok := c.operation.(Settler); ok {
		s.Settle(err)
	}
	for fork := c.adopted; fork != nil; fork = fork.adopted {
		// Hooks registered further in than the fork know it alone.
		fork.RowsAffected, fork.RowsReturned = c.RowsAffected, c.RowsReturned
	}
	c.unwind(0, err)
}

// unwind runs and drops the hooks above base, last one first. A hook is
// dropped before it runs, so that none can run twice.
func (c *Call) unwind(base int, err error) {
	for n := len(c.hooks) - 1; n >= base; n-- {
		finish := c.hooks[n].finish
		c.hooks[n] = hook{}
		c.hooks = c.hooks[:n]
		if finish != nil {
			finish(err)
		}
	}
}

// discard throws the operation's open result away and marks the call as
// having none.
func (c *Call) discard() {
	if !c.open {
		return
	}
	if d, ok := c.operation.(Discarder); ok {
		d.Discard()
	}
	c.open, c.endErr = false, nil
	c.state.Store(0)
}

// Try runs next as one attempt of the call. Hooks that handlers further in
// register belong to the attempt: when it fails they run, with its error,
// before Try returns; when it succeeds they stay with the call and run at its
// end. An interceptor that may repeat a call makes every attempt through Try.
func (c *Call) Try(ctx context.Context, next Handler) error {
	c.attempt++
	c.judged, c.fault = false, nil
	base := len(c.hooks)
	err := next(ctx, c)
	if err != nil {
		c.discard()
		c.unwind(base, err)
	}
	return err
}

// Attempt returns the number of the attempt at work, from 1.
func (c *Call) Attempt() int { return max(c.attempt, 1) }

// Retried reports whether the call runs under an interceptor that may repeat
// it, even if this is the first attempt.
func (c *Call) Retried() bool { return c.attempt > 0 }
