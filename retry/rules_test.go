package retry_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/fault/testdata/sqlite3"
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

// TestOnlyAStatementThatIsKnownToBeAtomicIsRepeated holds that the text decides
// after an error that may have left something behind, and no other.
func TestOnlyAStatementThatIsKnownToBeAtomicIsRepeated(t *testing.T) {
	t.Parallel()
	pg := &sp.Target{System: sp.PostgreSQL}
	my := &sp.Target{System: sp.MariaDB}
	for _, c := range []struct {
		target *sp.Target
		text   string
		want   int
	}{
		{pg, "UPDATE a SET x = 1;", 2},
		{nil, "UPDATE a SET x = ';'", 2},
		{pg, "INSERT INTO a SELECT * FROM b", 2},
		{my, "INSERT INTO a SELECT * FROM b", 1},
		{nil, "INSERT INTO a SELECT * FROM b", 1},
		{pg, "UPDATE a SET x = 1; UPDATE b SET y = 2", 1},
		{pg, "CALL transfer(1, 2)", 1},
		{pg, "/* all of it */ do $$ begin commit; end $$", 1},
		{pg, "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x)", 1},
		{my, "LOAD DATA LOCAL INFILE 'Reader::x' INTO TABLE a", 1},
		{pg, "frobnicate a", 1},
		{pg, "", 1},
	} {
		shape := func(call *sp.Call) { exec(call); call.Text, call.Target = c.text, c.target }
		if n := performs(t.Context(), eager(t), &script{steps: fails(serialization)}, shape); n != c.want {
			t.Errorf("%q was performed %d times, want %d", c.text, n, c.want)
		}
		if n := performs(sp.WithIdempotent(t.Context()), eager(t), &script{steps: fails(serialization)}, shape); n != 2 {
			t.Errorf("%q, marked idempotent, was performed %d times, want 2", c.text, n)
		}
		for _, unsent := range [][]step{fails(errRefused), {{err: driver.ErrBadConn, progress: fault.ProgressUnsent}, {}}} {
			if n := performs(t.Context(), eager(t), &script{steps: unsent}, shape); n != 2 {
				t.Errorf("%q, which was not sent, was performed %d times, want 2", c.text, n)
			}
		}
	}
}

func TestABatchIsRepeatedIfItIsOneTransactionOfAtomicStatements(t *testing.T) {
	t.Parallel()
	const good, bad = "INSERT INTO a VALUES (1); SELECT 1", "INSERT INTO a VALUES (1); COMMIT; INSERT INTO b VALUES (2)"
	for _, c := range []struct {
		system sp.System
		text   string
		size   int
		want   int
	}{
		{sp.PostgreSQL, good, 2, 2},
		{sp.PostgreSQL, "INSERT INTO a VALUES ($1)", 3, 2},
		{sp.PostgreSQL, bad, 3, 1},
		{sp.PostgreSQL, "CALL p()", 1, 1},
		{sp.CockroachDB, good, 2, 1},
		{sp.CockroachDB, "SELECT 1", 1, 2},
		{sp.MySQL, good, 2, 1},
	} {
		n := performs(t.Context(), eager(t), &script{steps: fails(serialization)}, func(call *sp.Call) {
			exec(call)
			call.Op, call.Text, call.BatchSize, call.Target = sp.OpBatch, c.text, c.size, &sp.Target{System: c.system}
		})
		if n != c.want {
			t.Errorf("%s: %q was performed %d times, want %d", c.system, c.text, n, c.want)
		}
	}
}

// TestALimitOnTheWaitForALockIsObeyed: what was asked for is not lengthened; a
// default limit ends a statement, and has a unit replayed, whose locks may be
// what the other waits for.
func TestALimitOnTheWaitForALockIsObeyed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err             error
		statement, unit int // how often they are performed, of three attempts
	}{
		{pgError("55P03"), 1, 1},
		{&MySQLError{Number: 3572}, 1, 1},
		{&MySQLError{Number: 1205}, 1, 3},
		{busy, 1, 3},
		{serialization, 3, 3},
	} {
		for name, op := range map[string]func(*sp.Call){"statement": exec, "unit": unit} {
			want := c.statement
			if name == "unit" {
				want = c.unit
			}
			for _, ctx := range []context.Context{t.Context(), sp.WithIdempotent(t.Context())} {
				if n := performs(ctx, eager(t), always(c.err), op); n != want {
					t.Errorf("%v: a %s was performed %d times, want %d", c.err, name, n, want)
				}
			}
			if n := performs(t.Context(), eager(t, retry.WithLockTimeouts()), always(c.err), op); n != 3 {
				t.Errorf("%v: with the option a %s was performed %d times, want 3", c.err, name, n)
			}
			if n := performs(t.Context(), eager(t, retry.WithLockTimeouts()), always(c.err), inTx); n != 1 {
				t.Errorf("%v: a statement in a transaction was performed %d times", c.err, n)
			}
		}
	}
	n := performs(t.Context(), eager(t, retry.WithLockTimeouts()), always(pgError("55P03")), func(c *sp.Call) { exec(c); c.Text = "CALL p()" })
	if n != 1 {
		t.Errorf("with the option a procedure was performed %d times", n)
	}
}

// busy is SQLite's error of a file that another connection writes to.
var busy = sqlite3.Error{Code: 5, ExtendedCode: 5, Text: "database is locked"}

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
	return w.script.Do(attach.Context(ctx, call), call)
}

func TestAUnitInsideAUnitIsNotReplayedThoughTheOuterIsNot(t *testing.T) {
	t.Parallel()
	var outer sp.Call
	attach.Reset(&outer, always(nil))
	unit(&outer)
	s := always(serialization)
	if n := performs(attach.Context(t.Context(), &outer), eager(t), s, unit); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestAStepOfACallIsNotRepeatedForItself(t *testing.T) {
	t.Parallel()
	var upper sp.Call
	attach.Reset(&upper, always(nil))
	exec(&upper)
	s := always(errRefused)
	if n := performs(attach.Context(t.Context(), &upper), eager(t), s, onConn(sp.OpConnect)); n != 1 {
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
	for op, want := range map[sp.Op]int{sp.SessionOp("flush"): 1, sp.SessionOp("commit"): 1, sp.SessionOp("get"): 1, sp.OpTransaction: 2} {
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
	attach.KeepOpen(call)
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
	attach.Reset(&call, op)
	call.Op, call.Scope, call.Text = sp.OpQuery, sp.ScopePool, "SELECT 1"
	open, err := attach.Run(t.Context(), &call, sp.NewChain(eager(t), hooks).Then(attach.Perform))
	if !open || err != nil || op.opened != 1 {
		t.Fatalf("open %v, %v, opened %d times", open, err, op.opened)
	}
	if !slices.Equal(ends, []error{serialization, serialization}) {
		t.Fatalf("before the rows were closed the attempts ended with %v", ends)
	}
	attach.Finish(&call, errLost)
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
