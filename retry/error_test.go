package retry_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

func TestAnExhaustedCallGetsTheLastErrorFirstAndTheEarlierOnesBehind(t *testing.T) {
	t.Parallel()
	deadlock := pgError("40P01")
	_, err := run(t.Context(), eager(t, retry.WithAttempts(4)), &script{steps: fails(errRefused, deadlock, deadlock, serialization)}, unit)
	var e *retry.Error
	if !errors.As(err, &e) || e.Attempts != 4 || !unchanged(e.Err, serialization) || e.Reason != retry.ReasonAttempts {
		t.Fatalf("returned %#v", err)
	}
	tree := e.Unwrap()
	if len(tree) != 3 || !unchanged(tree[0], serialization) || !errors.Is(tree[1], deadlock) || !errors.Is(tree[2], errRefused) {
		t.Errorf("unwraps to %q", tree)
	}
	var pg pgError
	if !errors.As(err, &pg) || pg != serialization {
		t.Errorf("the first database error in it is %v", pg)
	}
	if want := serialization.Error() + "; retry: gave up after 4 attempts; earlier: " + deadlock.Error(); err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestADefiniteAnswerOfALaterAttemptIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	_, err := run(t.Context(), eager(t), &script{steps: fails(serialization, unique)}, exec)
	if !unchanged(err, unique) {
		t.Errorf("returned %#v", err)
	}
}

func TestARefusalInALaterAttemptStandsBehindTheDatabasesError(t *testing.T) {
	t.Parallel()
	s := always(errRejected)
	s.steps = []step{{err: errRefused}, {err: errRejected}}
	_, err := run(t.Context(), eager(t, retry.WithAttempts(9)), s, onConn(sp.OpConnect))
	var e *retry.Error
	if s.performs != 2 || !errors.As(err, &e) || !unchanged(e.Err, errRefused) || e.Attempts != 1 || e.Reason != retry.ReasonRejected {
		t.Fatalf("%#v after %d performances", err, s.performs)
	}
	if !errors.Is(err, fault.ErrRejected) || !strings.HasPrefix(err.Error(), errRefused.Error()) {
		t.Errorf("returned %v", err)
	}
}

func TestACancellationInALaterAttemptKeepsTheEarlierErrorInItsText(t *testing.T) {
	t.Parallel()
	s := &script{steps: []step{{err: serialization}, {err: context.Canceled}}}
	_, err := run(t.Context(), eager(t), s, exec)
	var e *retry.Error
	if !errors.As(err, &e) || e.Reason != retry.ReasonCanceled || !errors.Is(err, context.Canceled) {
		t.Fatalf("returned %#v", err)
	}
	if !strings.Contains(err.Error(), serialization.Error()) {
		t.Errorf("%v has lost the database's error", err)
	}
	// The second attempt may have taken effect: no one may read from its error
	// that the server undid it.
	if pg, ok := errors.AsType[pgError](err); ok {
		t.Errorf("the error of an attempt in doubt carries the code of another, %s", string(pg))
	}
}

func TestAnAttemptGivenUpBeforeItWasSentStandsBehindTheDatabasesError(t *testing.T) {
	t.Parallel()
	s := &script{steps: []step{{err: serialization}, {err: context.Canceled, progress: fault.ProgressUnsent}}}
	_, err := run(t.Context(), eager(t), s, exec)
	var e *retry.Error
	if !errors.As(err, &e) || !unchanged(e.Err, serialization) || e.Reason != retry.ReasonCanceled || !errors.Is(err, context.Canceled) {
		t.Fatalf("returned %#v", err)
	}
}

func TestDatabaseSQLsOwnLoopIsNotStartedByAnExhaustedCall(t *testing.T) {
	t.Parallel()
	_, err := run(t.Context(), eager(t), always(fmt.Errorf("dial: %w", driver.ErrBadConn)), onConn(sp.OpConnect))
	if errors.Is(err, driver.ErrBadConn) || !strings.Contains(err.Error(), driver.ErrBadConn.Error()) {
		t.Errorf("dialled three times, returned %v", err)
	}

	dead := step{err: driver.ErrBadConn, progress: fault.ProgressUnsent}
	s := &script{steps: []step{dead, {err: errRefused, progress: fault.ProgressUnsent}}}
	if _, err = run(t.Context(), eager(t), s, exec); errors.Is(err, driver.ErrBadConn) || !errors.Is(err, errRefused) {
		t.Errorf("only an earlier attempt's connection was bad, returned %v", err)
	}

	s = &script{steps: []step{dead}}
	if _, err = run(t.Context(), eager(t), s, onConn(sp.OpExec)); !unchanged(err, driver.ErrBadConn) {
		t.Errorf("a single attempt's error was changed to %v", err)
	}
}

func TestAnEarlierTimeoutIsNotTakenForTheCallsOwn(t *testing.T) {
	t.Parallel()
	slow := fmt.Errorf("attempt: %w: %w", fault.ErrAttemptTimeout, context.DeadlineExceeded)
	_, err := run(sp.WithReadOnly(t.Context()), eager(t), &script{steps: fails(slow, serialization, serialization)}, exec)
	var e *retry.Error
	if !errors.As(err, &e) || e.Attempts != 3 {
		t.Fatalf("returned %#v", err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, fault.ErrAttemptTimeout) {
		t.Errorf("%v matches the timeout of its first attempt", err)
	}
	if len(e.Unwrap()) != 2 {
		t.Errorf("unwraps to %q", e.Unwrap())
	}
}

func TestAnExhaustedCallsErrorIsJudgedAsItsLastAttemptsIs(t *testing.T) {
	t.Parallel()
	for _, errs := range [][]error{
		{serialization, errRefused},
		{errRefused, serialization},
		{fault.ErrPoolTimeout, serialization},
		{tooMany, errRefused},
	} {
		_, err := run(t.Context(), eager(t, retry.WithAttempts(2)), &script{steps: fails(errs...)}, unit)
		if _, ok := errors.AsType[*retry.Error](err); !ok {
			t.Fatalf("returned %#v", err)
		}
		got, want := fault.Of(err, fault.Situation{Phase: fault.PhaseUnit}), fault.Of(errs[1], fault.Situation{Phase: fault.PhaseUnit})
		if got.Class != want.Class || got.Outcome != want.Outcome || fault.Code(err) != fault.Code(errs[1]) {
			t.Errorf("%v is judged %+v, its last error %+v", err, got, want)
		}
	}
}
