package statusz

import (
	"slices"

	sp "github.com/sessionproxy/sessionproxy"
)

// kind says what calls of an operation are to the page.
type kind uint8

const (
	ignored   kind = iota // not shown
	statement             // sent to the database: shown and counted
	around                // around statements, or none: shown, not counted
)

// kindOf returns the kind of an operation.
func kindOf(op sp.Op) kind { return kinds[op] }

var kinds = func() (k [256]kind) {
	for op := range k {
		k[op] = kindFor(sp.Op(op))
	}
	return k
}()

func kindFor(op sp.Op) kind {
	switch {
	case op.String() == sp.OpUnknown.String(), op == sp.OpClose, op.Local():
		return ignored
	case op.Session(), op == sp.OpTransaction, op == sp.OpAcquire, op == sp.OpConnect, op == sp.OpPing:
		return around
	default:
		return statement
	}
}

// stage is where a call is.
type stage uint8

const (
	stageRunning     stage = iota // somewhere; nobody marks the end of the pipeline
	stagePipeline                 // in an interceptor further in
	stageBackoff                  // in the pause before an attempt
	stageDriver                   // with the driver: waits for a connection or an answer
	stageConnecting               // waits for a new connection
	stageExecuting                // waits for an answer
	stageUnit                     // in the caller's function, or a session's method
	stageRows                     // the caller reads the rows
	stageTransaction              // the caller is in the transaction
	stageHeld                     // the caller has the connection
)

var stages = [...]string{
	stageRunning:     "running",
	stagePipeline:    "pipeline",
	stageBackoff:     "backoff",
	stageDriver:      "driver",
	stageConnecting:  "connecting",
	stageExecuting:   "executing",
	stageUnit:        "unit",
	stageRows:        "rows",
	stageTransaction: "transaction",
	stageHeld:        "held",
}

// String returns the stage's name.
func (s stage) String() string { return stages[s] }

// beyond returns the stage of a call that has passed all interceptors.
func beyond(call *sp.Call) stage {
	switch {
	case call.Op == sp.OpTransaction, call.Op.Session():
		return stageUnit
	case call.Op == sp.OpConnect:
		return stageConnecting
	case call.Scope == sp.ScopePool:
		return stageDriver
	default:
		return stageExecuting
	}
}

// opened returns the stage of a call whose result is with the caller.
func opened(op sp.Op) stage {
	switch op {
	case sp.OpBegin, sp.OpTransaction:
		return stageTransaction
	case sp.OpAcquire:
		return stageHeld
	default:
		return stageRows
	}
}

// stageNamed returns the stage of a name.
func stageNamed(name string) stage {
	return stage(max(slices.Index(stages[:], name), 0))
}
