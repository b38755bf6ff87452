package retry

import (
	"errors"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// TestNoVerdictMakesTheRulesBreak tries verdicts that package fault would never
// give: what may not be repeated must not be even then.
func TestNoVerdictMakesTheRulesBreak(t *testing.T) {
	t.Parallel()
	for range 20 {
		rapid.Check(t, checkVerdict)
	}
}

func checkVerdict(t *rapid.T) {
	call := sessionproxy.Call{
		Op: rapid.SampledFrom([]sessionproxy.Op{
			sessionproxy.OpExec, sessionproxy.OpTransaction, sessionproxy.OpConnect, sessionproxy.OpCommit,
			sessionproxy.OpCopy, sessionproxy.SessionOp("flush"), sessionproxy.OpUnknown, 200,
		}).Draw(t, "op"),
		Level: rapid.SampledFrom([]sessionproxy.Level{sessionproxy.LevelStatement, sessionproxy.LevelSession}).Draw(t, "level"),
		Scope: rapid.SampledFrom([]sessionproxy.Scope{sessionproxy.ScopePool, sessionproxy.ScopeConn}).Draw(t, "scope"),
		InTx:  rapid.IntRange(0, 5).Draw(t, "inTx") == 5,
		Marks: sessionproxy.Marks{
			Idempotent: rapid.Bool().Draw(t, "idempotent"), NoRetry: rapid.IntRange(0, 5).Draw(t, "noRetry") == 5,
		},
	}
	v := fault.Verdict{
		Class:       fault.Class(rapid.IntRange(0, int(fault.ClassCaller)).Draw(t, "class")),
		Retry:       fault.Retry(rapid.IntRange(0, 4).Draw(t, "retry")),
		Outcome:     fault.Outcome(rapid.IntRange(0, 4).Draw(t, "outcome")),
		DiscardConn: rapid.Bool().Draw(t, "discard"),
	}
	err := rapid.SampledFrom([]error{io.EOF, fault.ErrRejected}).Draw(t, "err")
	if !eligible(&call) || !permits(&call, err, v) {
		return
	}
	unit := call.Op == sessionproxy.OpTransaction
	switch {
	case call.InTx, call.Marks.NoRetry, errors.Is(err, fault.ErrRejected):
		t.Fatal("repeats what is never repeated")
	case call.Level == sessionproxy.LevelSession && !unit:
		t.Fatal("repeats a session's method")
	case v.Outcome == fault.OutcomeUnknown && !call.Idempotent():
		t.Fatal("repeats what may have taken effect")
	case v.Retry == fault.RetryTransaction && !unit:
		t.Fatal("repeats a statement where only the transaction may be")
	case v.Class == fault.ClassCanceled, v.Class == fault.ClassTimeout, v.Class == fault.ClassRejected:
		t.Fatal("repeats for a caller that gave up, or what was refused")
	case call.Scope == sessionproxy.ScopeConn && v.DiscardConn && call.Op != sessionproxy.OpConnect:
		t.Fatal("repeats on a connection that is to be discarded")
	}
}

func TestACeilingNeverOverflowsAndNeverShrinks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(0, 1<<63-1).Draw(t, "limit")
		c := curve{base: time.Duration(rapid.Int64Range(0, limit).Draw(t, "base")), limit: time.Duration(limit)}
		last := time.Duration(0)
		for n := 1; n <= maxAttempts; n++ {
			d := c.ceiling(n)
			if d < last || d > c.limit || n == 1 && d != c.base {
				t.Fatalf("ceiling %d is %v after %v", n, d, last)
			}
			last = d
		}
	})
}
