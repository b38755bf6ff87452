package sessionproxy

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// ErrCommitUnknown is matched by the error of a COMMIT that was sent and whose
// answer was lost: the transaction may or may not have been committed. This
// library never retries such a COMMIT; see [WithVerifyCommit].
var ErrCommitUnknown = fault.ErrCommitUnknown

// ErrAborted is the error that finish hooks receive if a call ended by a panic
// or by [runtime.Goexit] instead of a return.
var ErrAborted = errors.New("sessionproxy: call ended by a panic or runtime.Goexit")

// Call describes one operation on its way through a chain and, once performed,
// its outcome.
//
// A Call belongs to the goroutine that runs it: its methods and fields are not
// safe for concurrent use, except where noted. Calls are pooled: no reference
// may be kept after the call has ended.
//
// Small fields stand together, so that a call takes less room.
type Call struct {
	// Op is the operation.
	Op Op
	// Level is the layer the call belongs to.
	Level Level
	// Scope says whether a retry gets another connection.
	Scope Scope
	// InTx says that the call runs inside an open transaction.
	InTx bool
	// Prepared says that the statement was prepared earlier, or that another
	// SQL text is sent in place of Text. Do not change Text then: it has no
	// effect, or does harm.
	Prepared bool
	// Restartable says that the source of an [OpCopy] can be read again from
	// its start; without it the call is never retried.
	Restartable bool
	// ReadOnly says that the server refuses writes in the call: it is a
	// transaction, or a unit of work in one, that was begun read-only.
	ReadOnly bool
	judged   bool
	final    bool // see attach.MakeFinal
	// Marks are the caller's declarations through the context.
	Marks Marks
	// Target is the database; nil if nothing is known about it. While the call
	// runs it may be replaced by what the connection reports: the kind of
	// server, and which of several hosts.
	Target *Target
	// Node is the server that the attempt at work goes to, for a handle with
	// several; otherwise nil. See [Call.GoTo].
	Node *Node
	// Parent is the enclosing call: the unit of work it belongs to, or the
	// handle's call of which this one is a step; or nil.
	Parent *Call
	// Text is the SQL text; empty for operations without one. An interceptor
	// may change it before it calls next, unless Prepared is set.
	Text string
	// Sent is the SQL text that Text stood for in a failed attempt, if it is
	// not Text itself: Text may be the name of a prepared statement, or have
	// been rewritten by a [pgx.QueryRewriter]. Otherwise, or if it is not
	// known, Sent is empty.
	//
	// [pgx.QueryRewriter]: https://pkg.go.dev/github.com/jackc/pgx/v5#QueryRewriter
	Sent string
	// Args are the statement's arguments.
	Args Args
	// BatchSize is the number of statements in a batch, or of rows of a COPY if
	// known in advance; 0 otherwise.
	BatchSize int

	// RowsAffected is the number of rows a statement changed; -1 until known.
	RowsAffected int64
	// RowsReturned is the number of rows read by the caller so far.
	RowsReturned int64

	performer performer
	attempt   int32
	verdict   fault.Verdict
	fault     error         // decided the verdict, if the call's error does not wrap it
	origin    *Call         // of a fork: the call whose listeners receive its events
	crew      *crew         // of the forks of the call; nil if there are none
	tried     uint64        // the nodes of earlier attempts; see Tried
	forked    atomic.Uint64 // what forks have tried
	lifecycle
}

// lifecycle is the part of a call that says when it ends.
type lifecycle struct {
	hooks []hook
	open  bool // the operation's result outlives its handler

	state   atomic.Uint32        // of the marks below
	endErr  error                // set before resultDone
	heir    atomic.Pointer[Call] // the call that adopted this fork
	adopted *Call                // the fork that this call adopted last
}

// hook holds the functions registered for the events and the end of a call, and
// what is held for the call until it ends.
type hook struct {
	finish  func(error)
	listen  func(Event)
	holding Holding
}

// A call with an open result has two owners, its handlers and its result, which
// may end on different goroutines. Each sets its mark when it ends; the one
// that finds the other's mark set runs the finish hooks.
const (
	finishing    uint32 = 1 << iota // Finish was called: only the first time counts
	resultDone                      // the result has ended
	handlersDone                    // the handlers have returned, the caller has the result
)

// Idempotent reports whether running the call again is harmless, because of its
// operation or a mark of the caller.
func (c *Call) Idempotent() bool {
	return c.Marks.Idempotent || c.Marks.ReadOnly || c.Op.ReadsOnly()
}

// Unit returns the unit of work that the call runs in, or nil. For a unit of
// work itself it returns the enclosing one, if any.
func (c *Call) Unit() *Call {
	for p := c.Parent; p != nil; p = p.Parent {
		if p.Op == OpTransaction {
			return p
		}
	}
	return nil
}

// Step reports whether the call is a step of an enclosing call of the same
// chain, such as dialling a connection that a statement waits for. What is
// counted, limited or retried for the enclosing call must not be counted,
// limited or retried for its steps. A call inside a unit of work is not a step.
func (c *Call) Step() bool {
	return c.Parent != nil && c.Parent.Op != OpTransaction && c.Parent.Level == c.Level
}

// IsEntry reports whether the call enters from outside to do work on the
// database, rather than as part of another call: a statement inside a unit of
// work or a transaction, a step, a method of a session. Calls that open, take
// or return a connection, or that end or divide a transaction, are not work in
// themselves. Limits and hedges act only on entries.
func (c *Call) IsEntry() bool {
	if c.Level != LevelStatement || c.InTx {
		return false
	}
	switch c.Op {
	case OpConnect, OpAcquire, OpClose, OpSavepoint, OpCommit, OpRollback, OpRelease:
		return false
	}
	return c.Parent == nil || !c.Step() && c.Unit() == nil
}

// Judge computes and stores the verdict on err. It is called where err arose,
// by a driver integration or by an interceptor that refuses calls, because only
// that code knows the phase and the progress. ctx is the caller's context; if
// it has ended, its cause is part of the verdict.
func (c *Call) Judge(ctx context.Context, err error, phase fault.Phase, progress fault.Progress) fault.Verdict {
	c.verdict, c.judged = fault.Of(err, fault.Situation{
		Phase: phase, Progress: progress, Idempotent: c.Idempotent(), InTx: c.InTx, Cause: causeOf(ctx),
	}), true
	c.fault = nil
	if c.final {
		c.verdict.Retry, c.verdict.Outcome = fault.RetryNone, fault.OutcomeUnknown
	}
	return c.verdict
}

// Fault returns the error that decided the verdict of the current attempt if
// the call returns an error that does not wrap it, such as a unit of work whose
// function returns its own error; otherwise nil.
func (c *Call) Fault() error { return c.fault }

// Final reports whether the call's work may be permanent, whatever error it
// returns: then no verdict allows a retry, and it must not run again.
func (c *Call) Final() bool { return c.final }

// causeOf returns why ctx has ended, or nil. A driver passes the deadline on to
// the network, which may report it a moment before the context's own timer
// does: causeOf then waits for the timer, since only the context knows whose
// deadline it was.
func causeOf(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if deadline, ok := ctx.Deadline(); !ok || time.Now().Before(deadline) {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(timerLag):
		return nil // a context that does not end when it says
	}
}

// timerLag is how late a timer may be on a machine that is very busy.
const timerLag = 100 * time.Millisecond

// Verdict returns the meaning of err, with which the call or its current
// attempt failed. It is computed once per attempt: by the driver integration if
// it saw the error, otherwise here.
func (c *Call) Verdict(err error) fault.Verdict {
	if err == nil {
		return fault.Of(nil, fault.Situation{})
	}
	if heir := c.heir.Load(); heir != nil {
		return heir.Verdict(err) // the result of a fork is judged by the call that adopted it
	}
	if !c.judged {
		return c.Judge(context.Background(), err, c.Op.Phase(), fault.ProgressUnknown)
	}
	return c.verdict
}

// Event reports e to all listeners registered with [Call.OnEvent]. It costs
// nothing if there are none.
func (c *Call) Event(e Event) {
	if heir := c.heir.Load(); heir != nil {
		heir.Event(e) // an interceptor that ran in a fork knows the fork
		return
	}
	if c.crew != nil { // its forks may report at the same time
		c.crew.events.Lock()
		defer c.crew.events.Unlock()
	}
	for i := range c.hooks {
		if listen := c.hooks[i].listen; listen != nil {
			listen(e)
		}
	}
	if c.origin != nil {
		c.origin.Event(e)
	}
}

// OnEvent registers a listener for the events of interceptors further in. It is
// called until the finish hook registered next, normally by the same
// interceptor, has run, or the attempt in which it was registered has failed.
// For forks of the call it is called from several goroutines, one at a time. It
// must not block, least of all wait for the end of the call.
func (c *Call) OnEvent(listen func(Event)) { c.hooks = append(c.hooks, hook{listen: listen}) }

// Watch registers listen and finish together, at lower cost than calling
// [Call.OnEvent] and [Call.OnFinish]: listen is called until finish runs.
func (c *Call) Watch(listen func(Event), finish func(err error)) {
	c.hooks = append(c.hooks, hook{finish: finish, listen: listen})
}

// Observed reports whether there are listeners, for events that are expensive
// to create.
func (c *Call) Observed() bool {
	for i := range c.hooks {
		if c.hooks[i].listen != nil {
			return true
		}
	}
	return c.origin != nil && c.origin.Observed()
}
