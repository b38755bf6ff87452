package sptest

import (
	"slices"
	"time"

	"github.com/sessionproxy/sessionproxy"
)

// A Fault is something that goes wrong with one call. [Errors.Faults] returns those
// that a driver can show; you may make your own.
type Fault struct {
	// Name is what reports call it.
	Name string
	// Err is the error, in the driver's own terms. Nil with neither Hang nor Panic
	// makes a call slow and nothing else.
	Err error
	// After says that the call is performed first, and that only its answer is
	// lost. Otherwise nothing reaches the database.
	After bool
	// Lost says that the connection is gone with it: the database rolls back what
	// was open on it, the pool gives it up.
	Lost bool
	// Rows is how many rows of a query come before the error, from 1. With 0 the
	// call fails as a whole.
	Rows int
	// Conflict says that another transaction was in the way, and has committed;
	// see [WithRival].
	Conflict bool
	// Delay is how long the call takes longer.
	Delay time.Duration
	// Hang has the call wait until its context ends, in place of Err. A call whose
	// context can't end fails at once.
	Hang bool
	// Panic is what the driver panics with, in place of Err; nil: it does not.
	Panic any

	// At lists the operations that the fault can strike. Empty: every one that
	// talks to the server.
	At []sessionproxy.Op
	// Writes says that it strikes no statement that certainly only reads.
	Writes bool
}

// talks are the operations that talk to a server.
var talks = []sessionproxy.Op{
	sessionproxy.OpConnect, sessionproxy.OpPing, sessionproxy.OpPrepare, sessionproxy.OpExec, sessionproxy.OpQuery,
	sessionproxy.OpBatch, sessionproxy.OpCopy, sessionproxy.OpBegin, sessionproxy.OpSavepoint, sessionproxy.OpCommit,
	sessionproxy.OpRollback, sessionproxy.OpRelease,
}

var (
	statements = []sessionproxy.Op{sessionproxy.OpExec, sessionproxy.OpQuery, sessionproxy.OpBatch, sessionproxy.OpCopy}
	opening    = []sessionproxy.Op{sessionproxy.OpConnect}
	querying   = []sessionproxy.Op{sessionproxy.OpQuery}
)

// strikes reports whether the fault can strike a call.
func (f *Fault) strikes(c *Call) bool {
	at := f.At
	if len(at) == 0 {
		at = talks
	}
	if !slices.Contains(at, c.Op) || f.Rows > 0 && c.Op != sessionproxy.OpQuery {
		return false
	}
	return !f.Writes || c.Writes
}
