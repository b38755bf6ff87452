package retry_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

func TestAStatementInsideATransactionIsNeverRepeatedAlone(t *testing.T) {
	t.Parallel()
	r := eager(t)
	for _, err := range []error{serialization, errLost, driver.ErrBadConn, tooMany, fault.ErrAttemptTimeout} {
		for _, progress := range []fault.Progress{fault.ProgressUnknown, fault.ProgressUnsent} {
			for _, scope := range []sp.Scope{sp.ScopeConn, sp.ScopePool} {
				s := &script{steps: []step{{err: err, progress: progress}}}
				n := performs(sp.WithIdempotent(t.Context()), r, s, func(c *sp.Call) { inTx(c); c.Scope = scope })
				if n != 1 {
					t.Errorf("%v, %v, %v: performed %d times", err, progress, scope, n)
				}
			}
		}
	}
}

func TestSeveralStatementsInOneCallAreNotRepeated(t *testing.T) {
	t.Parallel()
	shape := func(text string) func(*sp.Call) {
		return func(c *sp.Call) { exec(c); c.Text = text }
	}
	for text, want := range map[string]int{
		"UPDATE a SET x = 1;":                        2,
		"UPDATE a SET x = ';'":                       2,
		"UPDATE a SET x = 1; UPDATE b SET y = 2":     1,
		"CALL transfer(1, 2)":                        1,
		"/* all of it */ do $$ begin commit; end $$": 1,
	} {
		s := &script{steps: fails(serialization)}
		if n := performs(t.Context(), eager(t), s, shape(text)); n != want {
			t.Errorf("%q was performed %d times, want %d", text, n, want)
		}
	}
	marked := &script{steps: fails(serialization)}
	if n := performs(sp.WithIdempotent(t.Context()), eager(t), marked, shape("CALL refresh()")); n != 2 {
		t.Errorf("an idempotent procedure was performed %d times, want 2", n)
	}
	unsent := &script{steps: fails(errRefused)}
	if n := performs(t.Context(), eager(t), unsent, shape("CALL transfer(1, 2)")); n != 2 {
		t.Errorf("a procedure that was not sent was performed %d times, want 2", n)
	}
}

func TestAUnitOfWorkIsReplayedFromItsStart(t *testing.T) {
	t.Parallel()
	for _, err := range []error{serialization, pgError("40P01"), errRefused, errLost} {
		s := &script{steps: fails(err)}
		if _, got := run(t.Context(), eager(t), s, unit); got != nil || s.performs != 2 {
			t.Errorf("%v: %v after %d performances, want success in the second", err, got, s.performs)
		}
	}
}

func TestAnErrorOfTheUnitsOwnFunctionIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	s := always(errUnknown)
	if _, err := run(t.Context(), eager(t), s, unit); !unchanged(err, errUnknown) || s.performs != 1 {
		t.Errorf("%v after %d performances", err, s.performs)
	}
}

func TestNothingInsideARetriedUnitIsRepeatedSeparately(t *testing.T) {
	t.Parallel()
	r := eager(t)
	for _, op := range []sp.Op{sp.OpConnect, sp.OpBegin, sp.OpExec, sp.OpTransaction} {
		inner := always(errRefused)
		var failure error
		outer := &script{steps: []step{{do: func(ctx context.Context) {
			_, failure = run(ctx, r, inner, func(c *sp.Call) { unit(c); c.Op = op })
		}}}}
		_, _ = run(t.Context(), r, within{outer}, unit)
		if inner.performs != 1 || !errors.Is(failure, errRefused) {
			t.Errorf("%v inside a unit was performed %d times: %v", op, inner.performs, failure)
		}
	}
}

// within is a script whose steps run with the call at work above them.
type within struct{ *script }

func (w within) Do(ctx context.Context, call *sp.Call) error {
	return w.script.Do(sp.ContextWithCall(ctx, call), call)
}

func TestAUnitInsideAUnitIsNotReplayedThoughTheOuterIsNot(t *testing.T) {
	t.Parallel()
	var outer sp.Call
	outer.Reset(always(nil))
	unit(&outer)
	s := always(serialization)
	if n := performs(sp.ContextWithCall(t.Context(), &outer), eager(t), s, unit); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestAStepOfACallIsNotRepeatedForItself(t *testing.T) {
	t.Parallel()
	var upper sp.Call
	upper.Reset(always(nil))
	exec(&upper)
	s := always(errRefused)
	if n := performs(sp.ContextWithCall(t.Context(), &upper), eager(t), s, onConn(sp.OpConnect)); n != 1 {
		t.Errorf("dialling under a statement was performed %d times", n)
	}
}

func TestTwoRetriesInOneChainDoNotMultiply(t *testing.T) {
	t.Parallel()
	s := always(serialization)
	outer, inner := eager(t), eager(t)
	both := sp.InterceptorFunc(func(next sp.Handler) sp.Handler { return outer.Wrap(inner.Wrap(next)) })
	if n := performs(t.Context(), both, s, exec); n != 3 {
		t.Errorf("performed %d times, want 3", n)
	}
}

func TestAWriteThatMayHaveReachedTheServerIsPerformedOnce(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errLost, driver.ErrBadConn, &fault.ConnLostError{Err: driver.ErrBadConn}, fault.ErrAttemptTimeout} {
		s := always(err)
		if _, got := run(t.Context(), eager(t), s, exec); s.performs != 1 || !unchanged(got, err) {
			t.Errorf("%v: performed %d times, returned %v", err, s.performs, got)
		}
	}
}

func TestAWriteThatWasCertainlyNotSentIsRepeatedOnAnotherConnection(t *testing.T) {
	t.Parallel()
	dead := []step{{err: driver.ErrBadConn, progress: fault.ProgressUnsent}, {}}
	if n := performs(t.Context(), eager(t), &script{steps: dead}, exec); n != 2 {
		t.Errorf("on a pool: performed %d times, want 2", n)
	}
	if n := performs(t.Context(), eager(t), &script{steps: dead}, onConn(sp.OpExec)); n != 1 {
		t.Errorf("on the dead connection: performed %d times, want 1", n)
	}
}

func TestACallThatIsHarmlessToRepeatIsRepeatedWhenItsAnswerWasLost(t *testing.T) {
	t.Parallel()
	for name, mark := range map[string]func(context.Context) context.Context{
		"idempotent": sp.WithIdempotent, "read-only": sp.WithReadOnly,
	} {
		s := &script{steps: fails(errLost)}
		if n := performs(mark(t.Context()), eager(t), s, exec); n != 2 {
			t.Errorf("%s: performed %d times, want 2", name, n)
		}
		s = &script{steps: fails(errLost)}
		if n := performs(mark(t.Context()), eager(t), s, onConn(sp.OpExec)); n != 1 {
			t.Errorf("%s, on the lost connection: performed %d times, want 1", name, n)
		}
	}
}

func TestAStatementThatTheServerUndidIsRepeatedInBothScopes(t *testing.T) {
	t.Parallel()
	for _, scope := range []sp.Scope{sp.ScopeConn, sp.ScopePool} {
		s := &script{steps: fails(serialization, pgError("40P01"))}
		if n := performs(t.Context(), eager(t), s, func(c *sp.Call) { exec(c); c.Scope = scope }); n != 3 {
			t.Errorf("%v: performed %d times, want 3", scope, n)
		}
	}
}

func TestDiallingIsRepeatedUnlessItIsRefusedForGood(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{errRefused: 2, tooMany: 2, pgError("57P03"): 2, pgError("28P01"): 1, pgError("3D000"): 1} {
		if n := performs(t.Context(), eager(t), &script{steps: fails(err)}, onConn(sp.OpConnect)); n != want {
			t.Errorf("%v: dialled %d times, want %d", err, n, want)
		}
	}
}

func TestWhatNoTableKnowsIsNeverRepeated(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errUnknown, unique, canceledQuery, context.Canceled, errRejected} {
		for name, shape := range map[string]func(*sp.Call){"statement": exec, "unit": unit, "dial": onConn(sp.OpConnect)} {
			s := always(err)
			if _, got := run(sp.WithIdempotent(t.Context()), eager(t), s, shape); s.performs != 1 || !errors.Is(got, err) {
				t.Errorf("%s, %v: performed %d times, returned %v", name, err, s.performs, got)
			}
		}
	}
}

func TestAMarkForbidsAnyRepetition(t *testing.T) {
	t.Parallel()
	verify := func(context.Context) (bool, error) { t.Error("verified"); return true, nil }
	ctx := sp.WithVerifyCommit(sp.WithNoRetry(t.Context()), verify)
	for _, err := range []error{serialization, &fault.CommitError{Err: errLost}} {
		s := always(err)
		if events, got := run(ctx, eager(t), s, unit); s.performs != 1 || !unchanged(got, err) || events != nil {
			t.Errorf("performed %d times, returned %v, reported %v", s.performs, got, events)
		}
	}
}

func TestACopyIsNeverRepeatedForItsSourceIsUsedUp(t *testing.T) {
	t.Parallel()
	s := always(serialization)
	if n := performs(sp.WithIdempotent(t.Context()), eager(t), s, func(c *sp.Call) { exec(c); c.Op = sp.OpCopy }); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestTheEndOfATransactionPassesEvenWithADeadContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, op := range []sp.Op{sp.OpCommit, sp.OpRollback, sp.OpRelease, sp.OpSavepoint, sp.OpClose} {
		s := always(serialization)
		if n := performs(ctx, eager(t), s, onConn(op)); n != 1 {
			t.Errorf("%v: performed %d times, want 1", op, n)
		}
	}
}

func TestASessionsMethodsPassButForAUnitOfWork(t *testing.T) {
	t.Parallel()
	session := func(op sp.Op) func(*sp.Call) {
		return func(c *sp.Call) { c.Op, c.Level, c.Scope = op, sp.LevelSession, sp.ScopePool }
	}
	for op, want := range map[sp.Op]int{sp.OpSessionFlush: 1, sp.OpSessionCommit: 1, sp.OpSessionGet: 1, sp.OpTransaction: 2} {
		if n := performs(t.Context(), eager(t), &script{steps: fails(serialization)}, session(op)); n != want {
			t.Errorf("%v: performed %d times, want %d", op, n, want)
		}
	}
}

func TestATransactionThatIdledTooLongIsReplayedOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []pgError{"25P03", "25P04"} {
		if n := performs(t.Context(), eager(t, retry.WithAttempts(5)), always(code), unit); n != 2 {
			t.Errorf("%s: performed %d times, want 2", string(code), n)
		}
	}
}

// rows is a query that fails some times before it opens rows.
type rows struct {
	failures int
	opened   int
}

func (r *rows) Do(ctx context.Context, call *sp.Call) error {
	if r.failures > 0 {
		r.failures--
		call.Judge(ctx, serialization, fault.PhaseStatement, fault.ProgressAnswered)
		return serialization
	}
	r.opened++
	call.KeepOpen()
	return nil
}

func TestRowsAreHandedOutOnceAndNothingIsRepeatedAfterwards(t *testing.T) {
	t.Parallel()
	var ends []error
	hooks := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(func(err error) { ends = append(ends, err) })
			return next(ctx, call)
		}
	})
	var call sp.Call
	op := &rows{failures: 2}
	call.Reset(op)
	call.Op, call.Scope = sp.OpQuery, sp.ScopePool
	open, err := call.Run(t.Context(), sp.NewChain(eager(t), hooks).Then(sp.Perform))
	if !open || err != nil || op.opened != 1 {
		t.Fatalf("open %v, %v, opened %d times", open, err, op.opened)
	}
	if !slices.Equal(ends, []error{serialization, serialization}) {
		t.Fatalf("before the rows were closed the attempts ended with %v", ends)
	}
	call.Finish(errLost)
	if len(ends) != 3 || !unchanged(ends[2], errLost) || op.opened != 1 {
		t.Errorf("ends %v, opened %d times", ends, op.opened)
	}
}

func TestAPanicPassesThroughAndEndsTheCall(t *testing.T) {
	t.Parallel()
	s := &script{steps: []step{{err: serialization}, {do: func(context.Context) { panic("boom") }}}}
	defer func() {
		if recover() != "boom" || s.performs != 2 {
			t.Errorf("performed %d times", s.performs)
		}
	}()
	_, _ = run(t.Context(), eager(t), s, exec)
	t.Error("the panic was swallowed")
}
