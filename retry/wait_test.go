package retry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

// longest makes every wait as long as it may be.
func longest() retry.Option {
	return retry.WithJitter(func(ceiling time.Duration) time.Duration { return ceiling })
}

// waits returns the times between the performances.
func (s *script) waits() []time.Duration {
	var d []time.Duration
	for i := 1; i < len(s.at); i++ {
		d = append(d, s.at[i].Sub(s.at[i-1]))
	}
	return d
}

func TestTheCeilingOfAWaitDoublesUpToItsLimitAndFollowsTheGroup(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		err  error
		want []time.Duration
	}{
		{serialization, []time.Duration{10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms}},
		{errRefused, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 5000 * ms}},
		{tooMany, []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 10000 * ms, 10000 * ms, 10000 * ms, 10000 * ms}},
		{fault.ErrPoolTimeout, []time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 10000 * ms, 10000 * ms, 10000 * ms, 10000 * ms}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := always(c.err)
			_, _ = run(t.Context(), newRetry(t, longest(), retry.WithAttempts(10)), s, onConn(sp.OpConnect))
			got := s.waits()
			if len(got) != len(c.want) {
				t.Fatalf("%v: %d waits, want %d", c.err, len(got), len(c.want))
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%v: wait %d is %v, want %v", c.err, i+1, got[i], c.want[i])
				}
			}
		})
	}
}

func TestWaitsAreSpreadFromZeroToTheCeiling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRetry(t, retry.WithAttempts(2), retry.WithoutBudget(), retry.WithBackoff(retry.Contention, time.Second, time.Second))
		var low, high int
		for range 400 {
			s := &script{steps: fails(serialization)}
			_, _ = run(t.Context(), r, s, exec)
			switch d := s.waits()[0]; {
			case d < 0 || d > time.Second:
				t.Fatalf("waited %v", d)
			case d < 300*time.Millisecond:
				low++
			case d > 700*time.Millisecond:
				high++
			}
		}
		// Each is expected 120 times, with a standard deviation of 9.
		if low < 60 || high < 60 {
			t.Errorf("%d short and %d long waits of 400", low, high)
		}
	})
}

func TestAJitterOutOfItsRangeIsBroughtInside(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-time.Hour, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{steps: fails(serialization)}
			_, _ = run(t.Context(), newRetry(t, retry.WithJitter(func(time.Duration) time.Duration { return d })), s, exec)
			if got := s.waits()[0]; got < 0 || got > 10*time.Millisecond {
				t.Errorf("jitter %v made a wait of %v", d, got)
			}
		})
	}
}

func TestNoWaitEndsPastTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		s, start := always(serialization), time.Now()
		events, err := run(ctx, newRetry(t, longest(), retry.WithAttempts(9)), s, exec)
		// 10 ms fit, 20 ms more end at the deadline, which leaves no time.
		if s.performs != 2 || time.Since(start) != 10*time.Millisecond {
			t.Errorf("performed %d times in %v", s.performs, time.Since(start))
		}
		var e *retry.Error
		if !errors.As(err, &e) || e.Reason != retry.ReasonDeadline || !unchanged(e.Err, serialization) || e.Attempts != 2 {
			t.Errorf("returned %#v", err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the error claims that the deadline has passed")
		}
		if last := events[len(events)-1]; last.Kind != sp.EventRetryExhausted || last.Detail != "deadline" || last.Attempt != 2 {
			t.Errorf("reported %+v", last)
		}
	})
}

func TestTheOnlyAttemptsErrorIsReturnedAsItIsAndAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		s, start := always(serialization), time.Now()
		if _, err := run(ctx, newRetry(t, longest()), s, exec); !unchanged(err, serialization) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestACallerWhoCancelsDuringTheWaitGetsTheDatabasesErrorFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(4*time.Millisecond, func() { cancel(why) })
		budget, err := retry.NewBudget()
		if err != nil {
			t.Fatal(err)
		}
		s, start := always(serialization), time.Now()
		_, err = run(ctx, newRetry(t, longest(), retry.WithBudget(budget)), s, exec)
		if s.performs != 1 || time.Since(start) != 4*time.Millisecond {
			t.Errorf("performed %d times in %v", s.performs, time.Since(start))
		}
		for _, want := range []error{serialization, context.Canceled, why} {
			if !errors.Is(err, want) {
				t.Errorf("%v does not match %v", err, want)
			}
		}
		want := serialization.Error() + "; retry: gave up after 1 attempt: context canceled: the user left"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if n := budget.Remaining(nil); n != 500 {
			t.Errorf("%d tokens left of 500 though nothing was repeated", n)
		}
	})
}

func TestAContextThatEndsWithTheAttemptStopsTheCall(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := &script{steps: []step{{after: cancel, err: serialization}}}
	events, err := run(ctx, eager(t), s, exec)
	if s.performs != 1 || !errors.Is(err, serialization) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v after %d performances", err, s.performs)
	}
	for _, e := range events {
		if e.Kind == sp.EventRetry {
			t.Errorf("reported %+v, which no attempt followed", e)
		}
	}
}

func TestACallerThatGaveUpBeforeIsTurnedAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := always(nil)
	if _, err := run(ctx, eager(t), s, exec); !unchanged(err, context.Canceled) || s.performs != 0 {
		t.Errorf("%v after %d performances", err, s.performs)
	}
}

func TestEachRepetitionIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events, err := run(t.Context(), newRetry(t, longest()), always(serialization), exec)
		want := []sp.Event{
			{Kind: sp.EventRetry, Attempt: 1, Delay: 10 * time.Millisecond, Err: serialization},
			{Kind: sp.EventRetry, Attempt: 2, Delay: 20 * time.Millisecond, Err: serialization},
			{Kind: sp.EventRetryExhausted, Attempt: 3, Err: serialization, Detail: "attempts"},
		}
		if len(events) != len(want) {
			t.Fatalf("reported %+v", events)
		}
		for i := range want {
			if events[i] != want[i] {
				t.Errorf("event %d is %+v, want %+v", i, events[i], want[i])
			}
		}
		if !errors.Is(err, serialization) {
			t.Error(err)
		}
	})
}

// TestACallWaitsUntilAHostIsPromoted has a server that only reads be promoted after a
// second and a half: whatever is drawn, the call is there then, without a token paid.
func TestACallWaitsUntilAHostIsPromoted(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]func(*sp.Call){"statement": exec, "unit": unit} {
		for _, draw := range []func(time.Duration) time.Duration{
			func(time.Duration) time.Duration { return 0 },
			func(ceiling time.Duration) time.Duration { return ceiling },
		} {
			synctest.Test(t, func(t *testing.T) {
				budget, err := retry.NewBudget()
				if err != nil {
					t.Fatal(err)
				}
				r := newRetry(t, retry.WithJitter(draw), retry.WithBudget(budget))
				back := time.Now().Add(1500 * time.Millisecond)
				lost := &script{steps: []step{{err: errLost, progress: fault.ProgressUnsent}}}
				op := operation(func(ctx context.Context, call *sp.Call) error {
					if lost.performs == 0 {
						return lost.Do(ctx, call)
					}
					if time.Now().Before(back) {
						return pgError("25006")
					}
					return nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				full := budget.Remaining(nil)
				if _, err := run(ctx, r, op, shape); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if paid := full - budget.Remaining(nil); paid != 5 { // for the lost connection
					t.Errorf("%s: %d tokens were paid", name, paid)
				}
			})
		}
	}
}

// operation is an operation that does what a test says.
type operation func(ctx context.Context, call *sp.Call) error

func (o operation) Do(ctx context.Context, call *sp.Call) error { return o(ctx, call) }

// TestAServerThatOnlyReadsIsNotAskedForEver holds how often a call looks whether a
// host has been promoted, and that a retry that is off does not.
func TestAServerThatOnlyReadsIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := always(pgError("25006"))
		_, _ = run(t.Context(), newRetry(t, longest()), s, exec)
		want := []time.Duration{250 * ms, 500 * ms, 1000 * ms, 1000 * ms, 1000 * ms, 250 * ms, 500 * ms}
		if got := s.waits(); !slices.Equal(got, want) {
			t.Errorf("waits %v, want %v", got, want)
		}
		if n := performs(t.Context(), newRetry(t, retry.WithAttempts(1)), always(pgError("25006")), exec); n != 1 {
			t.Errorf("performed %d times without retries", n)
		}
	})
}
