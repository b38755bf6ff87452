package retry

import (
	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// verdict returns the call's verdict on err, as the classifier changed it
// within its limits.
func (r *Retry) verdict(call *sessionproxy.Call, err error) fault.Verdict {
	v := call.Verdict(err)
	if r.lockTimeouts && v.Class == fault.ClassLockTimeout && v.Retry == fault.RetryNone && v.Outcome != fault.OutcomeUnknown {
		v.Retry = granted(call)
	}
	if r.classifier == nil {
		return v
	}
	want := r.classifier(err, v)
	switch {
	case v.Retry != fault.RetryNone:
		if strictness(want.Retry) > strictness(v.Retry) {
			v.Retry = want.Retry
		}
	case want.Retry != fault.RetryNone && optional(call, err, v):
		v.Retry = granted(call)
	}
	v.Slow, v.Contention = want.Slow, want.Contention
	return v
}

// granted returns what is retried of a call whose verdict alone allows nothing.
func granted(call *sessionproxy.Call) fault.Retry {
	if call.Op == sessionproxy.OpTransaction {
		return fault.RetryTransaction
	}
	return fault.RetryStatement
}

// strictness orders what may be retried: a statement wherever it ran, only on
// another connection, only with its whole unit, not at all.
func strictness(r fault.Retry) int {
	switch r {
	case fault.RetryStatement:
		return 0
	case fault.RetryReconnect:
		return 1
	case fault.RetryTransaction:
		return 2
	default:
		return 3
	}
}

// optional reports whether err is one of those that are not retried unless a
// classifier asks for it; see [WithClassifier] for the list.
func optional(call *sessionproxy.Call, err error, v fault.Verdict) bool {
	switch v.Class {
	case fault.ClassStatementTimeout:
		return call.Idempotent()
	case fault.ClassIntegrity:
		code := codeOf(call, err)
		return call.Op == sessionproxy.OpTransaction && (code == uniqueViolation || code == exclusionViolation)
	}
	switch codeOf(call, err) {
	case objectInUse:
		return true
	case ioError:
		return call.Idempotent()
	default:
		return false
	}
}

// SQLSTATE values of PostgreSQL, from appendix A of its manual.
const (
	uniqueViolation    = "23505"
	exclusionViolation = "23P01"
	objectInUse        = "55006"
	ioError            = "58030"

	idleInTransactionTimeout = "25P03"
	transactionTimeout       = "25P04"
)
