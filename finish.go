package sessionproxy

import "context"

// OnFinish registers a function that runs exactly once, when the call, or the
// attempt it was registered in, ends: for a call without an open result before
// the handler returns to the caller, for one that opened rows when they are
// closed, for BEGIN when the transaction ends. It gets the error with which the
// call or attempt ended, nil, or [ErrAborted]. Hooks run in reverse order of
// registration, even if the caller's context is cancelled or a handler panics;
// for rows, on the goroutine that closes them. A hook must not panic or block.
func (c *Call) OnFinish(finish func(err error)) { c.hooks = append(c.hooks, hook{finish: finish}) }

// Open reports whether the operation left a result open that is finished
// later. An interceptor may call it after next has returned without an error.
func (c *Call) Open() bool { return c.open }

// hand gives the open result to the caller, unless it has ended meanwhile. A
// call without hooks is left unchanged: nothing runs at its end.
func (c *Call) hand() (open bool) {
	if (*Attached)(c).Loose() || c.state.Or(handlersDone)&resultDone == 0 {
		return true
	}
	c.end(c.endErr)
	return false
}

// end finishes a call whose open result has ended.
func (c *Call) end(err error) {
	if f, ok := c.performer.(finalizer); ok {
		f.Finalize(err)
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
	if d, ok := c.performer.(discarder); ok {
		d.Discard()
	}
	c.open, c.endErr = false, nil
	c.state.Store(0)
}

// Try runs next as one attempt of the call. Hooks that handlers further in
// register belong to the attempt: if it fails they run, with its error, before
// Try returns; if it succeeds they stay with the call and run at its end. An
// interceptor that may retry a call makes every attempt through Try.
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

// Attempt returns the number of the current attempt, from 1.
func (c *Call) Attempt() int { return max(int(c.attempt), 1) }

// Retried reports whether the call runs under an interceptor that may retry it,
// even if this is the first attempt.
func (c *Call) Retried() bool { return c.attempt > 0 }
