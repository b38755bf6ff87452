package breaker_test

import (
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// treatment is what a breaker does with an operation.
type treatment struct {
	op      sp.Op
	inTx    bool
	refused bool // by an open circuit
	counted bool // by a closed one
}

// treatments is the table of the package's page.
var treatments = []treatment{
	{op: sp.OpConnect, refused: true, counted: true},
	{op: sp.OpPing, refused: true, counted: true},
	{op: sp.OpAcquire, refused: true, counted: true},
	{op: sp.OpPrepare, refused: true, counted: true},
	{op: sp.OpExec, refused: true, counted: true},
	{op: sp.OpQuery, refused: true, counted: true},
	{op: sp.OpBatch, refused: true, counted: true},
	{op: sp.OpCopy, refused: true, counted: true},
	{op: sp.OpBegin, refused: true, counted: true},
	{op: sp.OpSavepoint, inTx: true, counted: true},
	{op: sp.OpExec, inTx: true, counted: true},
	{op: sp.OpQuery, inTx: true, counted: true},
	{op: sp.OpPing, inTx: true, counted: true},
	{op: sp.OpCommit, inTx: true, counted: true},
	{op: sp.OpCommit, counted: true},
	{op: sp.OpRollback, inTx: true},
	{op: sp.OpRollback},
	{op: sp.OpRelease, inTx: true},
	{op: sp.OpClose},
	{op: sp.OpTransaction, refused: true},
	{op: sp.OpTransaction, inTx: true},
	{op: sp.SessionOp("add")},
	{op: sp.SessionOp("expunge")},
	{op: sp.SessionOp("flush"), refused: true},
	{op: sp.SessionOp("flush"), inTx: true},
	{op: sp.SessionOp("execute"), refused: true},
	{op: sp.SessionOp("begin"), refused: true},
	{op: sp.SessionOp("commit")},
	{op: sp.SessionOp("rollback")},
	{op: sp.SessionOp("close")},
	{op: sp.SessionOp("reset")},
	{op: sp.SessionOp("invalidate")},
}

func (c treatment) String() string {
	if c.inTx {
		return c.op.String() + " in a transaction"
	}
	return c.op.String()
}

func (c treatment) call(err error) *sp.Call {
	call := newCall(c.op, answer(err))
	call.InTx = c.inTx
	return call
}

func TestWhatAClosedCircuitCounts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range treatments {
			r := newRig(t)
			r.exec(1, nil)
			if err := r.run(c.call(errRefused)); !errors.Is(err, errRefused) {
				t.Fatal(err)
			}
			if got := r.counts().Failures == 1; got != c.counted {
				t.Errorf("%v: failure counted: %t, want %t", c, got, c.counted)
			}
		}
	})
}

func TestWhatAnOpenCircuitRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range treatments {
			r := newRig(t)
			r.open()
			time.Sleep(2 * time.Second) // the outage is not brief any more
			if got := errors.Is(r.run(c.call(nil)), breaker.ErrOpen); got != c.refused {
				t.Errorf("%v: refused: %t, want %t", c, got, c.refused)
			}
			r.ForceOpen(target)
			if got := errors.Is(r.run(c.call(nil)), breaker.ErrOpen); got != c.refused {
				t.Errorf("%v: refused when forced open: %t, want %t", c, got, c.refused)
			}
		}
	})
}

func TestWhatTakesAProbe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, c := range treatments {
			r := newRig(t, breaker.WithProbes(1))
			r.open()
			time.Sleep(11 * time.Second)
			_ = r.run(c.call(errRefused))
			want := breaker.StateHalfOpen
			if c.refused && c.counted {
				want = breaker.StateOpen // it was the probe, and failed
			}
			if got := r.State(target); got != want {
				t.Errorf("%v: left the circuit %v, want %v", c, got, want)
			}
		}
	})
}

func TestAStepOfACallIsNeitherCountedNorRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t)
		step := func(parent sp.Op) *sp.Call {
			call := newCall(sp.OpConnect, answer(errRefused))
			call.Parent = newCall(parent, answer(nil))
			return call
		}
		r.exec(1, nil)
		for range 100 {
			_ = r.run(step(sp.OpExec))
		}
		if got, want := r.counts(), (breaker.Counts{Successes: 1}); got != want {
			t.Errorf("steps left the counts %+v, want %+v", got, want)
		}
		_ = r.run(step(sp.OpTransaction)) // is no step: BEGIN of a unit dials
		if got := r.counts().Failures; got != 1 {
			t.Errorf("a unit's connection counted %d failures, want 1", got)
		}
		r.open()
		if err := r.run(step(sp.OpExec)); !errors.Is(err, errRefused) {
			t.Errorf("a step returned %v: its call was admitted already", err)
		}
	})
}
