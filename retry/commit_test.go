package retry_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

// doubtful is the error of a COMMIT whose answer was lost.
func doubtful() error { return &fault.CommitError{Err: errLost} }

// answers returns a verifier that gives the same answer each time.
func answers(committed bool, err error) func(context.Context) (bool, error) {
	return func(context.Context) (bool, error) { return committed, err }
}

func TestAnUnknownCommitIsNeverRepeatedBlindly(t *testing.T) {
	t.Parallel()
	want := doubtful()
	s := always(want)
	if events, err := run(t.Context(), eager(t), s, unit); !unchanged(err, want) || s.performs != 1 || events != nil {
		t.Errorf("%v after %d performances, reported %v", err, s.performs, events)
	}
}

func TestAnUnknownCommitOfALaterAttemptIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	want := &fault.CommitError{Err: context.Canceled}
	if _, err := run(t.Context(), eager(t), &script{steps: fails(serialization, want)}, unit); !unchanged(err, want) {
		t.Errorf("returned %#v", err)
	}
}

func TestAUnitFoundCommittedHasSucceeded(t *testing.T) {
	t.Parallel()
	s := always(doubtful())
	events, err := run(sp.WithVerifyCommit(t.Context(), answers(true, nil)), eager(t), s, unit)
	if err != nil || s.performs != 1 {
		t.Errorf("%v after %d performances", err, s.performs)
	}
	if len(events) != 1 || events[0].Kind != retry.EventCommitVerified || events[0].Detail != "committed" || !errors.Is(events[0].Err, sp.ErrCommitUnknown) {
		t.Errorf("reported %+v", events)
	}
}

func TestAUnitFoundNotCommittedIsReplayed(t *testing.T) {
	t.Parallel()
	s := &script{steps: fails(doubtful())}
	events, err := run(sp.WithVerifyCommit(t.Context(), answers(false, nil)), eager(t), s, unit)
	if err != nil || s.performs != 2 {
		t.Errorf("%v after %d performances", err, s.performs)
	}
	if len(events) != 2 || events[0].Detail != "rolled_back" || events[1].Kind != sp.EventRetry {
		t.Errorf("reported %+v", events)
	}
}

func TestAUnitFoundNotCommittedEveryTimeIsNotInDoubtAnyMore(t *testing.T) {
	t.Parallel()
	for i, attempts := range []int{1, 3, 1, 3} {
		doubt := doubtful()
		if i >= 2 {
			doubt = fmt.Errorf("%w: %w", sp.ErrCommitUnknown, errLost)
		}
		s := always(doubt)
		_, err := run(sp.WithVerifyCommit(t.Context(), answers(false, nil)), eager(t, retry.WithAttempts(attempts)), s, unit)
		if s.performs != attempts {
			t.Errorf("performed %d times, want %d", s.performs, attempts)
		}
		if errors.Is(err, sp.ErrCommitUnknown) || !errors.Is(err, errLost) {
			t.Errorf("returned %v", err)
		}
	}
}

func TestAVerifierThatFailsLeavesTheDoubtAndBothCauses(t *testing.T) {
	t.Parallel()
	broken := errors.Join(errors.New("no such table"), driver.ErrBadConn)
	s := always(doubtful())
	events, err := run(sp.WithIdempotent(sp.WithVerifyCommit(t.Context(), answers(true, broken))), eager(t), s, unit)
	var e *retry.VerifyError
	if s.performs != 1 || !errors.As(err, &e) || !unchanged(e.Verify, broken) {
		t.Fatalf("%v after %d performances", err, s.performs)
	}
	if !errors.Is(err, sp.ErrCommitUnknown) || !errors.Is(err, errLost) || errors.Is(err, driver.ErrBadConn) {
		t.Errorf("%v matches the wrong errors", err)
	}
	if want := doubtful().Error() + "; retry: verify the commit: no such table\ndriver: bad connection"; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if len(events) != 1 || events[0].Detail != "failed" {
		t.Errorf("reported %+v", events)
	}
}

func TestAVerifierThatFailsIsNotOverruledByAClassifier(t *testing.T) {
	t.Parallel()
	ctx := sp.WithIdempotent(sp.WithVerifyCommit(t.Context(), answers(false, errUnknown)))
	s := always(&fault.CommitError{Err: statementTimeout{}})
	if n := performs(ctx, eager(t, asking(fault.RetryStatement)), s, unit); n != 1 {
		t.Errorf("performed %d times", n)
	}
}

func TestAnIdempotentUnitMayBeReplayedInDoubt(t *testing.T) {
	t.Parallel()
	s := &script{steps: fails(doubtful())}
	if _, err := run(sp.WithIdempotent(t.Context()), eager(t), s, unit); err != nil || s.performs != 2 {
		t.Errorf("%v after %d performances", err, s.performs)
	}
}

func TestADoubtThatWasNotSettledIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := &script{steps: fails(doubtful(), unique)}
	_, err := run(sp.WithIdempotent(t.Context()), eager(t), s, unit)
	var e *retry.Error
	if !errors.As(err, &e) || !unchanged(e.Err, unique) || e.Reason != retry.ReasonFinal {
		t.Fatalf("returned %#v", err)
	}
	if !errors.Is(err, unique) || !errors.Is(err, sp.ErrCommitUnknown) {
		t.Errorf("%v hides that an earlier attempt may have been committed", err)
	}
}

func TestAVerifierRunsInTheCallersContextWithoutTheUnitsMarks(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Hour)
	defer cancel()
	calls := 0
	ctx = sp.WithCallName(sp.WithVerifyCommit(ctx, func(got context.Context) (bool, error) {
		calls++
		m := sp.MarksFrom(got)
		if m.VerifyCommit != nil || m.Name != "" || sp.CallFrom(got) != nil {
			t.Errorf("marks %+v, call above %v", m, sp.CallFrom(got))
		}
		want, _ := ctx.Deadline()
		if d, ok := got.Deadline(); !ok || !d.Equal(want) || got.Value(key{}) != "value" {
			t.Error("the verifier misses the caller's deadline or values")
		}
		return true, nil
	}), "orders.pay")
	if _, err := run(ctx, eager(t), always(doubtful()), unit); err != nil || calls != 1 {
		t.Errorf("%v after %d verifications", err, calls)
	}
}

func TestAVerifierOutlivesACallerThatIsGoneByALimitedTime(t *testing.T) {
	t.Parallel()
	for _, committed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			verify := func(got context.Context) (bool, error) {
				if got.Err() != nil {
					t.Error("the verifier's context is dead too")
				}
				if d, ok := got.Deadline(); !ok || time.Until(d) != 7*time.Second {
					t.Errorf("the verifier has until %v", d)
				}
				return committed, nil
			}
			s := &script{steps: []step{{do: func(context.Context) { cancel() }, err: doubtful()}}}
			_, err := run(ctx, eager(t, retry.WithVerifyCommit(verify), retry.WithVerifyTimeout(7*time.Second)), s, unit)
			if s.performs != 1 || committed != (err == nil) || errors.Is(err, sp.ErrCommitUnknown) {
				t.Errorf("committed %v: %v after %d performances", committed, err, s.performs)
			}
		})
	}
}

func TestAVerifierHasItsTimeHoweverLittleTheCallerHas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		caller func(ctx context.Context) (context.Context, context.CancelFunc)
		ends   time.Duration // when the verifier's context does
	}{
		"a near deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, 7 * time.Second},
		"a far deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}, time.Minute},
		"cancelled early": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, 7 * time.Second},
		"cancelled late": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(20*time.Second, cancel)
			return ctx, cancel
		}, 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := c.caller(t.Context())
			defer cancel()
			start := time.Now()
			verify := func(got context.Context) (bool, error) {
				if !sp.MarksFrom(got).Verifying {
					t.Errorf("%s: limits and breakers do not know a verifier", name)
				}
				<-got.Done()
				return true, nil
			}
			_, err := run(ctx, eager(t, retry.WithVerifyCommit(verify), retry.WithVerifyTimeout(7*time.Second)), always(doubtful()), unit)
			if took := time.Since(start); err != nil || took != c.ends {
				t.Errorf("%s: the verifier had %v, want %v: %v", name, took, c.ends, err)
			}
		})
	}
}

func TestAUnitsOwnVerifierGoesBeforeTheInterceptors(t *testing.T) {
	t.Parallel()
	r := eager(t, retry.WithVerifyCommit(func(context.Context) (bool, error) { t.Error("the wrong one"); return true, nil }))
	if _, err := run(sp.WithVerifyCommit(t.Context(), answers(true, nil)), r, always(doubtful()), unit); err != nil {
		t.Error(err)
	}
}

func TestAVerifierThatRunsAUnitOfWorkIsNotAskedAboutThat(t *testing.T) {
	t.Parallel()
	var r *retry.Retry
	asked := 0
	r = eager(t, retry.WithVerifyCommit(func(ctx context.Context) (bool, error) {
		asked++
		_, err := run(ctx, r, always(doubtful()), unit)
		return false, err
	}))
	if _, err := run(t.Context(), r, always(doubtful()), unit); !errors.Is(err, sp.ErrCommitUnknown) || asked != 1 {
		t.Errorf("%v after %d questions", err, asked)
	}
}

func TestACommitOutsideAUnitIsNeitherVerifiedNorRepeated(t *testing.T) {
	t.Parallel()
	ctx := sp.WithVerifyCommit(sp.WithIdempotent(t.Context()), func(context.Context) (bool, error) { t.Error("verified"); return true, nil })
	for name, shape := range map[string]func(*sp.Call){"statement": exec, "commit": onConn(sp.OpCommit)} {
		s := always(doubtful())
		if _, err := run(ctx, eager(t), s, shape); !errors.Is(err, sp.ErrCommitUnknown) || s.performs != 1 {
			t.Errorf("%s: %v after %d performances", name, err, s.performs)
		}
	}
}
