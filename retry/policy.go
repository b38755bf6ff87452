package retry

import (
	"cmp"
	"errors"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// eligible reports whether the call is one that this package may retry at
// all. What it is not is part of something that is retried as a whole, or
// belongs to a connection in a state that a retry would not find again.
func eligible(call *sessionproxy.Call) bool {
	if call.InTx || call.Marks.NoRetry || call.Retried() {
		return false
	}
	switch call.Op {
	case sessionproxy.OpTransaction:
	case sessionproxy.OpCopy:
		if !call.Restartable || call.Level != sessionproxy.LevelStatement {
			return false
		}
	case sessionproxy.OpConnect, sessionproxy.OpPing, sessionproxy.OpAcquire, sessionproxy.OpPrepare,
		sessionproxy.OpExec, sessionproxy.OpQuery, sessionproxy.OpBatch, sessionproxy.OpBegin:
		if call.Level != sessionproxy.LevelStatement {
			return false
		}
	default:
		return false
	}
	return call.Parent == nil || alone(call)
}

// alone reports that no call above takes care of retrying this one.
func alone(call *sessionproxy.Call) bool {
	if call.Step() {
		return false
	}
	for p := call.Parent; p != nil; p = p.Parent {
		// A unit inside a unit has joined it: half of a unit is not replayed.
		if p.Retried() || call.Op == sessionproxy.OpTransaction && p.Op == sessionproxy.OpTransaction {
			return false
		}
	}
	return true
}

// permits reports whether the rules allow an eligible call to be retried
// after a failure with verdict v. It trusts the verdict for what the error
// means, and still refuses what must never happen should the verdict be wrong.
func permits(call *sessionproxy.Call, err error, v fault.Verdict) bool {
	switch v.Class {
	case fault.ClassNone, fault.ClassCanceled, fault.ClassTimeout, fault.ClassRejected:
		return false
	}
	if call.Marks.NoRetry || v.Class == fault.ClassReadOnly && call.ReadOnly { // set by the attempt; as was asked for
		return false
	}
	if errors.Is(err, fault.ErrRejected) || v.Outcome == fault.OutcomeUnknown && !call.Idempotent() {
		return false
	}
	if !call.Idempotent() && v.Outcome != fault.OutcomeNotSent && !whole(call) {
		return false
	}
	// The next attempt on a connection's own call runs on that connection;
	// only dialling makes a new one.
	if call.Scope == sessionproxy.ScopeConn && call.Op != sessionproxy.OpConnect {
		if v.DiscardConn || v.Retry == fault.RetryReconnect {
			return false
		}
	}
	switch v.Retry {
	case fault.RetryStatement, fault.RetryReconnect:
		return true
	case fault.RetryTransaction:
		return call.Op == sessionproxy.OpTransaction
	default:
		return false
	}
}

// whole reports that a call is known to take effect as a whole or not at all.
// What is sent by its text is so only if the text says it, or that for which it
// stands: see [sqltext.Atomic]. The rest has no effect, or is a transaction, or a COPY.
func whole(call *sessionproxy.Call) bool {
	var system sessionproxy.System
	if call.Target != nil {
		system = call.Target.System
	}
	text := cmp.Or(call.Sent, call.Text)
	switch call.Op {
	case sessionproxy.OpExec, sessionproxy.OpQuery:
	case sessionproxy.OpBatch:
		if call.BatchSize != 1 {
			return system == sessionproxy.PostgreSQL && sqltext.AtomicBatch(text)
		}
	default:
		return true
	}
	return sqltext.Atomic(sqltext.DialectOf(string(system)), text)
}

// unsent reports that an attempt ended without reaching the database: refused
// by an interceptor further in, or given up while it waited for a connection.
func unsent(err error, v fault.Verdict) bool {
	return v.Class == fault.ClassRejected || errors.Is(err, fault.ErrRejected) ||
		canceled(v) && v.Outcome == fault.OutcomeNotSent
}

// canceled reports that the caller ended the attempt.
func canceled(v fault.Verdict) bool {
	return v.Class == fault.ClassCanceled || v.Class == fault.ClassTimeout
}

// onceOnly reports whether err allows one retry and no more: PostgreSQL
// ended a transaction that took too long or idled, which it will do again if
// that is how the unit always is.
func onceOnly(call *sessionproxy.Call, err error) bool {
	switch codeOf(call, err) {
	case idleInTransactionTimeout, transactionTimeout:
		return true
	default:
		return false
	}
}

// codeOf returns the database's code for err, or for the fault that err hides.
func codeOf(call *sessionproxy.Call, err error) string {
	if code := fault.Code(err); code != "" {
		return code
	}
	return fault.Code(call.Fault())
}
