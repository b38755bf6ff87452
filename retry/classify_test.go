package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

// asking returns a classifier that asks for r after every failure.
func asking(r fault.Retry) retry.Option {
	return retry.WithClassifier(func(_ error, v fault.Verdict) fault.Verdict {
		v.Retry = r
		return v
	})
}

func TestAClassifierMayForbidARepetition(t *testing.T) {
	t.Parallel()
	if n := performs(t.Context(), eager(t, asking(fault.RetryNone)), always(serialization), exec); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestAClassifierMayAskForAnotherConnectionOrTheWholeUnit(t *testing.T) {
	t.Parallel()
	for want, ok := range map[fault.Retry]int{fault.RetryStatement: 2, fault.RetryReconnect: 1, fault.RetryTransaction: 1} {
		if n := performs(t.Context(), eager(t, asking(want)), &script{steps: fails(serialization)}, onConn(sp.OpExec)); n != ok {
			t.Errorf("%v: performed %d times, want %d", want, n, ok)
		}
	}
}

func TestAClassifierMayNotKeepACallOnAConnectionThatWillNotDo(t *testing.T) {
	t.Parallel()
	if n := performs(t.Context(), eager(t, asking(fault.RetryStatement)), always(fault.ErrPoolTimeout), onConn(sp.OpExec)); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestAClassifierCannotOverrideTheRules(t *testing.T) {
	t.Parallel()
	everything := retry.WithClassifier(func(error, fault.Verdict) fault.Verdict {
		return fault.Verdict{
			Class: fault.ClassSerialization, Retry: fault.RetryStatement, Outcome: fault.OutcomeNotSent, Contention: true,
		}
	})
	for _, err := range []error{
		errLost, doubtful(), errUnknown, errRejected, context.Canceled, context.DeadlineExceeded, unique, pgError("42601"), pgError("28P01"),
		pgError("40003"), canceledQuery, pgError("58030"), &fault.ConnLostError{Err: errLost},
	} {
		s := always(err)
		if n := performs(t.Context(), eager(t, everything), s, exec); n != 1 {
			t.Errorf("statement, %v: performed %d times", err, n)
		}
	}
	for _, err := range []error{doubtful(), errUnknown, errRejected, context.Canceled} {
		if n := performs(t.Context(), eager(t, everything), always(err), unit); n != 1 {
			t.Errorf("unit, %v: performed %d times", err, n)
		}
	}
	if n := performs(t.Context(), eager(t, everything), always(serialization), inTx); n != 1 {
		t.Errorf("in a transaction: performed %d times", n)
	}
}

func TestAClassifierMayOptInToWhatIsDocumented(t *testing.T) {
	t.Parallel()
	r := eager(t, asking(fault.RetryStatement))
	for _, c := range []struct {
		name       string
		idempotent bool
		err        error
		shape      func(*sp.Call)
		want       int
	}{
		{"unique violation in a unit", false, unique, unit, 2},
		{"exclusion violation in a unit", false, pgError("23P01"), unit, 2},
		{"foreign key in a unit", false, pgError("23503"), unit, 1},
		{"unique violation of a statement", false, unique, exec, 1},
		{"object in use", false, pgError("55006"), exec, 2},
		{"I/O error", false, pgError("58030"), exec, 1},
		{"I/O error, idempotent", true, pgError("58030"), exec, 2},
		{"statement timeout", false, statementTimeout{}, exec, 1},
		{"statement timeout, idempotent", true, statementTimeout{}, exec, 2},
	} {
		ctx := t.Context()
		if c.idempotent {
			ctx = sp.WithIdempotent(ctx)
		}
		if n := performs(ctx, r, &script{steps: fails(c.err)}, c.shape); n != c.want {
			t.Errorf("%s: performed %d times, want %d", c.name, n, c.want)
		}
		if n := performs(ctx, eager(t), &script{steps: fails(c.err)}, c.shape); n != 1 {
			t.Errorf("%s, without a classifier: performed %d times", c.name, n)
		}
	}
}

// statementTimeout has the shape of PostgreSQL's error about statement_timeout.
type statementTimeout struct{}

func (statementTimeout) Error() string {
	return "ERROR: canceling statement due to statement timeout (SQLSTATE 57014)"
}
func (statementTimeout) SQLState() string { return "57014" }

func TestAClassifierMayChangeTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		change := retry.WithClassifier(func(err error, v fault.Verdict) fault.Verdict {
			v.Slow, v.Contention = errors.Is(err, serialization), errors.Is(err, errRefused)
			return v
		})
		s := &script{steps: fails(serialization, errRefused)}
		_, _ = run(t.Context(), newRetry(t, longest(), change), s, exec)
		if w := s.waits(); w[0] != 500*time.Millisecond || w[1] != 20*time.Millisecond {
			t.Errorf("waited %v, want 500ms and 20ms", w)
		}
	})
}
