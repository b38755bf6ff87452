package retry_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

// The tests of this file hold that faults found in other retry libraries are
// absent here: failsafe-go v0.9.8, cenkalti/backoff v5.0.3, cockroach-go
// v2.4.2, Entity Framework Core.

func TestNotEveryErrorIsRepeatedByDefault(t *testing.T) { // failsafe-go, backoff
	t.Parallel()
	for _, err := range []error{context.Canceled, sql.ErrNoRows, errUnknown} {
		if n := performs(sp.WithReadOnly(t.Context()), newRetry(t), always(err), exec); n != 1 {
			t.Errorf("%v: performed %d times", err, n)
		}
	}
}

func TestAnOpenBreakerIsNotAskedAgainAndAgain(t *testing.T) { // failsafe-go
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{{err: errRefused}, {err: errRejected}}}
		_, err := run(t.Context(), newRetry(t, longest(), retry.WithAttempts(9)), s, unit)
		if s.performs != 2 || len(s.waits()) != 1 {
			t.Errorf("performed %d times", s.performs)
		}
		if !errors.Is(err, errRefused) || !errors.Is(err, fault.ErrRejected) {
			t.Errorf("%v lacks the database's error or the refusal", err)
		}
	})
}

func TestAnEmptyBudgetIsNoticedBeforeTheWaitAndKeepsTheDatabasesError(t *testing.T) { // failsafe-go
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget, err := retry.NewBudget(retry.WithCapacity(4))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		events, err := run(t.Context(), newRetry(t, longest(), retry.WithBudget(budget)), always(errRefused), exec)
		e, ok := errors.AsType[*retry.Error](err)
		if !ok || e.Reason != retry.ReasonBudget || e.Attempts != 1 || !errors.Is(err, errRefused) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if want := errRefused.Error() + "; retry: gave up after 1 attempt: retry budget used up"; err.Error() != want {
			t.Errorf("the error says %q, want %q", err, want)
		}
		if len(events) != 1 || events[0].Detail != "budget" {
			t.Errorf("reported %+v", events)
		}
	})
}

func TestTheDatabasesErrorSurvivesTheEndOfTheContext(t *testing.T) { // backoff
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := run(ctx, newRetry(t, longest()), always(serialization), exec); !errors.Is(err, serialization) || !errors.Is(err, context.Canceled) {
			t.Errorf("returned %v", err)
		}
	})
}

func TestADeadContextRunsNothing(t *testing.T) { // backoff; cockroach-go never looks at it
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := performs(ctx, newRetry(t), always(nil), unit); n != 0 {
		t.Errorf("performed %d times", n)
	}
}

func TestOneRetryServesManyCallsAtOnce(t *testing.T) { // backoff's state may not be shared
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRetry(t, longest())
		for range 50 {
			go func() {
				s := &script{steps: fails(serialization, serialization)}
				_, err := run(t.Context(), r, s, exec)
				if w := s.waits(); err != nil || len(w) != 2 || w[0] != 10*time.Millisecond || w[1] != 20*time.Millisecond {
					t.Errorf("%v, waits %v", err, w)
				}
			}()
		}
		synctest.Wait()
		time.Sleep(time.Second) // of the bubble's clock: lets the waits pass
	})
}

func TestALostAnswerToACommitIsNotTakenForARollback(t *testing.T) { // Entity Framework
	t.Parallel()
	s := always(doubtful())
	if _, err := run(t.Context(), eager(t), s, unit); s.performs != 1 || !errors.Is(err, sp.ErrCommitUnknown) {
		t.Errorf("%v after %d performances", err, s.performs)
	}
}

func TestARetryOfOneHandleDoesNotStopThatOfAnother(t *testing.T) { // Entity Framework suspends all
	t.Parallel()
	r := eager(t)
	blocked := make(chan struct{})
	done := make(chan int)
	go func() {
		s := &script{steps: []step{{err: serialization}, {do: func(context.Context) { <-blocked }}}}
		_, _ = run(t.Context(), r, s, exec)
		done <- s.performs
	}()
	if n := performs(t.Context(), r, &script{steps: fails(serialization)}, exec); n != 2 {
		t.Errorf("performed %d times, want 2", n)
	}
	close(blocked)
	if n := <-done; n != 2 {
		t.Errorf("performed %d times, want 2", n)
	}
}
