package sessionproxy

// Fork returns a copy of the call for a concurrent attempt, with its own hooks
// and result, or false if the operation can't run twice at once, or if what is held
// for the call has been given back because its forks wait; see [Call.Wait]. Run the copy
// on any one goroutine with [Call.Try]; then the goroutine that runs the
// original must pass it to either [Call.Adopt] or [Call.Abandon]. Events of the
// copy reach the original's listeners, one at a time.
//
// Once forked, the original must not run itself.
func (c *Call) Fork() (*Call, bool) {
	f, ok := c.performer.(forker)
	if !ok {
		return nil, false
	}
	fork := c.enlist()
	if fork == nil {
		return nil, false
	}
	performer := f.Fork()
	if performer == nil {
		c.discharge()
		return nil, false
	}
	*fork = Call{
		Op: c.Op, Level: c.Level, Scope: c.Scope, InTx: c.InTx, Marks: c.Marks,
		Target: c.Target, ReadOnly: c.ReadOnly, Parent: c.Parent, Text: c.Text, Prepared: c.Prepared,
		Args: c.Args, BatchSize: c.BatchSize, Restartable: c.Restartable,
		RowsAffected: -1,
		performer:    performer, attempt: c.attempt, origin: c,
		tried: c.Tried(),
	}
	return fork, true
}

// Adopt makes the successful outcome of fork the call's own: its hooks,
// listeners, result and counts. An open result of the fork ends the call when
// it ends.
func (c *Call) Adopt(fork *Call) {
	c.discharge()
	c.performer.(forker).Adopt(fork.performer)
	c.RowsAffected, c.RowsReturned = fork.RowsAffected, fork.RowsReturned
	if fork.Node != nil {
		c.Node, c.Target = fork.Node, fork.Target
	}
	c.attempt, c.verdict, c.judged = fork.attempt, fork.verdict, fork.judged
	c.hooks, fork.hooks = append(c.hooks, fork.hooks...), nil
	c.open = fork.open

	c.adopted = fork
	fork.heir.Store(c)
	if fork.state.Load()&resultDone != 0 {
		(*Attached)(c).Finish(fork.endErr)
	}
}

// Abandon ends a fork that lost: its open result is discarded and its hooks run
// with err.
func (c *Call) Abandon(fork *Call, err error) {
	fork.discard()
	fork.unwind(0, err)
	c.discharge()
}
