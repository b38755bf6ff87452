package breaker

import (
	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// rule says what a breaker does with a call. The order matters: from
// ruleEarly on, calls can be refused.
type rule uint8

const (
	// rulePass: neither refused nor counted.
	rulePass rule = iota
	// ruleFollow: never refused, since it has its connection; counted while
	// the circuit is closed.
	ruleFollow
	// ruleEarly: refused while the circuit is open, but not counted: the
	// statements it emits are.
	ruleEarly
	// ruleCount: refused while the circuit is open, a probe while it is
	// half-open, counted while it is closed.
	ruleCount
)

// ruleOf returns the rule for call.
func ruleOf(call *sessionproxy.Call) rule {
	if call.Level == sessionproxy.LevelSession {
		return sessionRule(call)
	}
	switch call.Op {
	case sessionproxy.OpRollback, sessionproxy.OpRelease, sessionproxy.OpClose:
		return rulePass
	case sessionproxy.OpTransaction:
		if call.InTx {
			return rulePass
		}
		return ruleEarly
	case sessionproxy.OpCommit, sessionproxy.OpSavepoint:
		return ruleFollow
	}
	switch {
	case call.Step():
		return rulePass
	case call.InTx:
		return ruleFollow
	}
	return ruleCount
}

// sessionRule returns the rule for a session's method. What ends a session's
// transaction is never refused.
func sessionRule(call *sessionproxy.Call) rule {
	if call.InTx || call.Op.Local() {
		return rulePass
	}
	if call.Op.Cleanup() || call.Op.Phase() == fault.PhaseCommit {
		return rulePass
	}
	return ruleEarly
}
