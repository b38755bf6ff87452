package queue

import "context"

// Unapplied are the operations of a session, in program order, whose results
// have not been applied. It belongs to the session's owner. The zero value is
// ready to use.
type Unapplied struct{ open, room []*Operation }

// Add appends op, which was submitted.
func (u *Unapplied) Add(op *Operation) {
	op.unapplied = u
	if len(u.open) == 0 {
		u.open = u.room[:0]
	}
	if u.open = append(u.open, op); len(u.open) == 1 {
		u.room = u.open
	}
}

// Enqueue submits op to q and adds it, after it has applied the results that
// are there. It waits only for a place in the queue. An operation submitted by
// another one of q, which owns the session meanwhile, has ended when Enqueue
// returns.
func (u *Unapplied) Enqueue(ctx context.Context, q *Queue, op *Operation) error {
	inside := Of(ctx) == q
	if !inside {
		u.ApplyReady()
	}
	if err := q.Submit(op); err != nil {
		return err
	}
	if inside {
		op.Apply()
	} else {
		u.Add(op)
	}
	return nil
}

// ApplyReady applies the results that are there. It does not wait.
func (u *Unapplied) ApplyReady() {
	for len(u.open) > 0 {
		select {
		case <-u.open[0].done:
			u.applyNext()
		default:
			return
		}
	}
}

// ApplyAll waits for all operations and applies their results. Its error is
// about the wait.
func (u *Unapplied) ApplyAll(ctx context.Context) error {
	if n := len(u.open); n > 0 {
		return u.applyThrough(ctx, u.open[n-1])
	}
	return nil
}

// MarkSeen counts the errors of all operations as told.
func (u *Unapplied) MarkSeen() {
	for _, op := range u.open {
		op.MarkSeen()
	}
}

// applyThrough waits for last and the operations before it, and applies their
// results.
func (u *Unapplied) applyThrough(ctx context.Context, last *Operation) error {
	for !last.applied {
		if err := u.open[0].waitPerformed(ctx); err != nil {
			return err
		}
		u.applyNext()
	}
	return nil
}

// applyNext applies the result of the first operation.
func (u *Unapplied) applyNext() {
	op := u.open[0]
	u.open[0] = nil
	u.open = u.open[1:]
	op.Apply()
}
