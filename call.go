package sessionproxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sessionproxy/sessionproxy/fault"
)

// ErrCommitUnknown is matched by the error of a COMMIT that was sent and whose
// answer was lost: the transaction may or may not have been committed. Such a
// commit is never repeated by this library; see [WithVerifyCommit].
var ErrCommitUnknown = fault.ErrCommitUnknown

// ErrAborted is what finish hooks get when a call ended by a panic or by
// [runtime.Goexit] instead of a return.
var ErrAborted = errors.New("sessionproxy: call ended by a panic or runtime.Goexit")

// Call describes one operation on its way through a chain and, once
// performed, what came of it.
//
// A Call belongs to the goroutine that runs it: its methods and fields are not
// safe for concurrent use, except where noted. Calls are pooled: no reference
// may be kept after the call is finished.
type Call struct {
	// Op is the operation.
	Op Op
	// Level is the layer the call belongs to.
	Level Level
	// Scope says whether a repetition gets another connection.
	Scope Scope
	// InTx says that the call runs inside an open transaction.
	InTx bool
	// Marks are what the caller declared through the context.
	Marks Marks
	// Target is the database; nil if nothing is known of it. While the call is
	// performed it may be replaced by what the connection says: what its server
	// is, and which of several hosts it is.
	Target *Target
	// Parent is the call at work above this one: the unit of work it belongs
	// to, or the call of a handle of which this one is a step; or nil.
	Parent *Call
	// Text is the SQL text; empty for operations without one. An interceptor
	// may change it before it calls next, if the call is not of a prepared
	// statement.
	Text string
	// Prepared says that the statement was prepared before, or that Text stands for
	// another one: a change of Text has no effect, or does harm.
	Prepared bool
	// Sent is the SQL text that Text stood for when an attempt failed, where that is
	// not Text itself: the name of a prepared statement, or what a [pgx.QueryRewriter]
	// made another text of. Empty otherwise, or if nobody knows.
	//
	// [pgx.QueryRewriter]: https://pkg.go.dev/github.com/jackc/pgx/v5#QueryRewriter
	Sent string
	// Args are the statement's arguments.
	Args Args
	// BatchSize is the number of statements of a batch, or of rows of a COPY
	// where known before; 0 otherwise.
	BatchSize int
	// Restartable says that the source of an [OpCopy] can be read from its
	// start again; without it the call is never repeated.
	Restartable bool

	// RowsAffected is the number of rows a statement changed; -1 until known.
	RowsAffected int64
	// RowsReturned is the number of rows read by the caller so far.
	RowsReturned int64

	operation Operation
	attempt   int
	verdict   fault.Verdict
	judged    bool
	fault     error // what the verdict is on, if the call's error does not hold it
	final     bool  // see MakeFinal
	origin    *Call // whose listeners hear of the events of this fork, if it has any
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
	mu      sync.Mutex           // one event of a fork at a time
}

// hook is what was registered to hear of the end of a call, of its events, or
// of both, and what is held for the call until then.
type hook struct {
	finish  func(error)
	listen  func(Event)
	holding Holding
}

// A call whose result is open has two owners, the handlers and the result, which
// may be done on different goroutines. Each leaves a mark when it is, and whoever
// finds the other's runs the finish hooks.
const (
	finishing    uint32 = 1 << iota // Finish was called: only the first time counts
	resultDone                      // the result has ended
	handlersDone                    // the handlers are through, the result is with the caller
)

// An Operation performs a call: it is what an attachment puts behind the core
// of a chain. If its result outlives Do (rows, a transaction) it calls
// [Call.KeepOpen], and [Call.Finish] when the result ends.
//
// An Operation may also implement [Discarder], [Settler] and [Forker].
type Operation interface {
	// Do performs the call once. It may be called again after it failed, and
	// after it succeeded if an interceptor made a failure of it.
	Do(ctx context.Context, call *Call) error
}

// A Discarder is an [Operation] whose open result can be thrown away.
type Discarder interface {
	// Discard closes the result that the last Do left open: the call was
	// refused after it succeeded, and nobody will get the result.
	Discard()
}

// A Settler is an [Operation] that has something to write into the call when
// its open result has ended, before finish hooks run.
type Settler interface {
	// Settle writes what is known at the end, such as the number of rows read.
	// It is called once, when nobody else uses the call, with the error that
	// [Call.Finish] got.
	Settle(err error)
}

// Perform is the core handler of every attachment: it performs the call's
// operation.
func Perform(ctx context.Context, call *Call) error {
	return call.operation.Do(ctx, call)
}

// Reset makes a call out of a new or a pooled value: it clears everything and
// sets the operation. Attachments call it before they describe the call.
func (c *Call) Reset(op Operation) {
	hooks := c.hooks[:0]
	*c = Call{}
	c.operation, c.RowsAffected = op, -1
	c.hooks = hooks
}

// Bind reads the marks and the call above from ctx.
func (c *Call) Bind(ctx context.Context) {
	if s := scopeOf(ctx); s != nil {
		c.Marks, c.Parent = s.marks, s.upper
	}
}

// Operation returns the operation behind the call, for the attachment that
// made it.
func (c *Call) Operation() Operation { return c.operation }

// Idempotent reports that repeating the call is harmless: by its operation or
// by a mark of the caller.
func (c *Call) Idempotent() bool {
	return c.Marks.Idempotent || c.Marks.ReadOnly || c.Op.ReadsOnly()
}

// Unit returns the unit of work the call runs in, or nil. For a unit itself
// it is the one around it, if any.
func (c *Call) Unit() *Call {
	for p := c.Parent; p != nil; p = p.Parent {
		if p.Op == OpTransaction {
			return p
		}
	}
	return nil
}

// Step reports that the call is a step of a call of the same chain above it,
// such as the dialling of a connection that a statement waits for: what is
// counted, limited or repeated for the call above must not be so for the step.
// A call inside a unit of work is no step.
func (c *Call) Step() bool {
	return c.Parent != nil && c.Parent.Op != OpTransaction && c.Parent.Level == c.Level
}

// IsEntry reports that the call comes from outside to work on the database, as
// against one that is part of another call: a statement inside a unit of work
// or a transaction, a step, a method of a session. Calls that open, take or
// return a connection, or that end or divide a transaction, are not work by
// themselves. Limits and hedges act on entries alone.
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

// Judge computes and keeps the verdict on err, with what only the attachment
// knows. The caller's context tells who ended the call, if anyone did.
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

// JudgeBy is [Call.Judge] by an error other than the one the call is about to
// return. A unit of work uses it when its function returns an error of its own
// that says nothing of what the database did: cause is the fault that undid the
// transaction, and [Call.Fault] returns it.
func (c *Call) JudgeBy(ctx context.Context, cause error, phase fault.Phase, progress fault.Progress) fault.Verdict {
	v := c.Judge(ctx, cause, phase, progress)
	c.fault = cause
	return v
}

// Fault returns the error that decided the verdict of the current attempt where
// the error that the call returns does not hold it; otherwise nil. See
// [Call.JudgeBy].
func (c *Call) Fault() error { return c.fault }

// MakeFinal says that what the call has done may stand, whatever error it
// returns: from now on no verdict on it allows a retry, and interceptors must not
// perform it again. A unit of work says so when its function has ended the
// transaction itself.
func (c *Call) MakeFinal() { c.final = true }

// Final reports whether [Call.MakeFinal] was called.
func (c *Call) Final() bool { return c.final }

// Obey says that the current attempt failed by a limit on the wait for locks that
// the caller had set, where the error does not tell: the verdict allows no retry.
// It is for attachments, after [Call.Judge].
func (c *Call) Obey() { c.verdict.Retry = fault.RetryNone }

// causeOf returns why ctx has ended, or nil. A driver hands the deadline to the
// network, which may tell of it a moment before the context's own timer does:
// then that is waited for, since only the context knows whose deadline it was.
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

// Verdict returns what err, with which the call or its current attempt
// failed, means. It is computed once per attempt, by the attachment where that
// saw the error, and here for an error that never reached one.
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

// Event reports e to everyone who registered with [Call.OnEvent]. It costs
// nothing when nobody did.
func (c *Call) Event(e Event) {
	if heir := c.heir.Load(); heir != nil {
		heir.Event(e) // an interceptor that ran in a fork knows the fork
		return
	}
	for i := range c.hooks {
		if listen := c.hooks[i].listen; listen != nil {
			listen(e)
		}
	}
	if c.origin != nil {
		c.origin.forkEvent(e)
	}
}

// Teller returns a function that reports events to those who listen now, for an
// attachment that reports on a goroutine beside which the call may end. It
// returns nil if nobody listens.
func (c *Call) Teller() func(e Event) {
	var listeners []func(Event)
	for i := range c.hooks {
		if listen := c.hooks[i].listen; listen != nil {
			listeners = append(listeners, listen)
		}
	}
	if len(listeners) == 0 {
		return nil
	}
	return func(e Event) {
		for _, listen := range listeners {
			listen(e)
		}
	}
}

// OnEvent registers a function for the events of interceptors further in. It
// is called until the finish hook that was registered next, normally by the
// same interceptor, has run, or the attempt in which it was registered has
// failed. On forks of the call it is called from several goroutines, one at a
// time. It must not block, least of all wait for the end of the call.
func (c *Call) OnEvent(listen func(Event)) { c.hooks = append(c.hooks, hook{listen: listen}) }

// Watch is [Call.OnEvent] and [Call.OnFinish] in one, for less: listen is called
// until finish runs.
func (c *Call) Watch(listen func(Event), finish func(err error)) {
	c.hooks = append(c.hooks, hook{finish: finish, listen: listen})
}

// Observed reports whether anyone listens to events, for those whose making
// costs something.
func (c *Call) Observed() bool {
	for i := range c.hooks {
		if c.hooks[i].listen != nil {
			return true
		}
	}
	return c.origin != nil
}
