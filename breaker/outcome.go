package breaker

import (
	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// outcome is how a circuit counts a call.
type outcome uint8

const (
	excluded outcome = iota
	succeeded
	failed
)

// verdict is an outcome and what belongs to it.
type verdict struct {
	outcome outcome
	class   fault.Class // of a failure
	slow    bool        // never set for an excluded call
	broken  bool        // a connection that was open before is lost; says little of the server
}

// judge returns how a call counts while the circuit is closed.
func (c *config) judge(call *sessionproxy.Call, err error, slow bool) verdict {
	if err == nil {
		return judgeSuccess(call, slow)
	}
	v := call.Verdict(err)
	switch {
	case v.Breaker == fault.BreakerFailure, slow && timedOut(v):
		return verdict{outcome: failed, class: v.Class, slow: slow, broken: broken(call, v)}
	case v.Breaker == fault.BreakerSuccess:
		return verdict{outcome: succeeded, slow: slow}
	}
	return verdict{}
}

// judgeProbe returns how a call counts while the circuit is half-open: any
// answer of the server is proof of life, unless it came too late. That a
// transaction was in the way of another proves nothing by its slowness, and a
// connection from before the outage proves nothing by being lost.
func (c *config) judgeProbe(call *sessionproxy.Call, err error, slow bool) verdict {
	v := c.judge(call, err, slow)
	switch {
	case v.broken:
		v.outcome = excluded
	case v.outcome == succeeded && slow:
		v.outcome = failed
	case err == nil || v.outcome == failed || slow:
	case call.Verdict(err).Answered:
		v.outcome = succeeded
	default:
		v.outcome = excluded
	}
	return v
}

// judgeSuccess returns how a call without an error counts. A connection taken
// from a pool may have lain there since before the server went away.
func judgeSuccess(call *sessionproxy.Call, slow bool) verdict {
	if call.Op == sessionproxy.OpAcquire {
		return verdict{}
	}
	return verdict{outcome: succeeded, slow: slow}
}

// broken reports whether a connection was lost that had been open. The server may
// be gone, or back already, or have ended the session alone: the next connect
// tells.
func broken(call *sessionproxy.Call, v fault.Verdict) bool {
	switch {
	case call.Op == sessionproxy.OpConnect:
		return false
	case v.Class == fault.ClassServerDown:
		return v.Outcome != fault.OutcomeNotSent
	}
	return v.Class == fault.ClassConnectionLost
}

// timedOut reports whether a limit on time ended the call: the caller's own,
// or the server's on a statement. By itself that may mean an impatient caller.
func timedOut(v fault.Verdict) bool {
	return v.Class == fault.ClassTimeout || v.Class == fault.ClassStatementTimeout
}
