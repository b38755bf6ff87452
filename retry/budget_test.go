package retry_test

import (
	"fmt"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/retry"
)

func newBudget(tb testing.TB, opts ...retry.BudgetOption) *retry.Budget {
	tb.Helper()
	b, err := retry.NewBudget(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// at gives a shape a target.
func at(target *sp.Target, shape func(*sp.Call)) func(*sp.Call) {
	return func(c *sp.Call) { shape(c); c.Target = target }
}

func TestARepetitionCostsFiveAndAnImmediateSuccessEarnsOne(t *testing.T) {
	t.Parallel()
	b := newBudget(t)
	r := eager(t, retry.WithBudget(b))
	for _, c := range []struct {
		steps []step
		shape func(*sp.Call)
		want  int
	}{
		{fails(errRefused), exec, 495},
		{fails(), exec, 496},
		{fails(errRefused, errRefused), unit, 486},
		{fails(), unit, 487},
		{fails(unique), exec, 487},
		{fails(serialization, pgError("40P01")), exec, 487},
		{fails(&MySQLError{Number: 1213}), unit, 487},
		{fails(), inTx, 487},
		{fails(tooMany), onConn(sp.OpConnect), 477},
		{fails(fault.ErrPoolTimeout), exec, 467},
		{fails(), onConn(sp.OpConnect), 468},
		{fails(pgError("25P04")), unit, 458},
	} {
		_, _ = run(t.Context(), r, &script{steps: c.steps}, c.shape)
		if got := b.Remaining(nil); got != c.want {
			t.Errorf("after %v: %d tokens, want %d", c.steps[0].err, got, c.want)
		}
	}
}

func TestAFullBucketTakesNoMore(t *testing.T) {
	t.Parallel()
	b := newBudget(t, retry.WithRefund(400))
	r := eager(t, retry.WithBudget(b))
	for _, steps := range [][]step{fails(), fails(errRefused), fails(), fails()} {
		_, _ = run(t.Context(), r, &script{steps: steps}, exec)
	}
	if got := b.Remaining(nil); got != 500 {
		t.Errorf("%d tokens, want 500", got)
	}
}

func TestAnOutageStopsRepetitionsWhenTheBudgetIsEmpty(t *testing.T) {
	t.Parallel()
	b := newBudget(t)
	r := eager(t, retry.WithBudget(b))
	var performed int
	for range 1000 {
		performed += performs(t.Context(), r, always(errRefused), exec)
	}
	if performed != 1100 {
		t.Errorf("1000 calls were performed %d times, want 1000 and 100 repetitions", performed)
	}
	if b.Remaining(nil) != 0 {
		t.Errorf("%d tokens left", b.Remaining(nil))
	}
}

// TestContentionDoesNotEmptyTheBucket holds that a healthy server whose
// transactions stand in each other's way costs nobody an attempt.
func TestContentionDoesNotEmptyTheBucket(t *testing.T) {
	t.Parallel()
	b := newBudget(t, retry.WithCapacity(10))
	r := eager(t, retry.WithBudget(b))
	for range 100 {
		for _, shape := range []func(*sp.Call){exec, unit} {
			if _, err := run(t.Context(), r, &script{steps: fails(serialization, serialization)}, shape); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := b.Remaining(nil); n != 10 {
		t.Errorf("%d tokens left", n)
	}
}

func TestEachTargetHasABucketSharedByAllThatUseTheBudget(t *testing.T) {
	t.Parallel()
	b := newBudget(t)
	one, two := eager(t, retry.WithBudget(b)), eager(t, retry.WithBudget(b))
	writer := &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5432, User: "app"}
	same := &sp.Target{System: sp.PostgreSQL, Host: "db", Port: 5432, User: "admin"}
	reader := &sp.Target{System: sp.PostgreSQL, Host: "replica", Port: 5432}
	_, _ = run(t.Context(), one, &script{steps: fails(errRefused)}, at(writer, exec))
	_, _ = run(t.Context(), two, &script{steps: fails(errRefused)}, at(same, unit))
	_, _ = run(t.Context(), two, &script{steps: fails(errRefused)}, at(nil, unit))
	for target, want := range map[*sp.Target]int{writer: 490, same: 490, reader: 500, nil: 495} {
		if got := b.Remaining(target); got != want {
			t.Errorf("%v: %d tokens, want %d", target, got, want)
		}
	}
}

func TestAHandleOfSeveralTargetsDrawsOnTheRightBucket(t *testing.T) {
	t.Parallel()
	b := newBudget(t)
	h := eager(t, retry.WithBudget(b)).Wrap(attach.Perform)
	targets := []*sp.Target{{Host: "a"}, {Host: "b"}}
	for _, steps := range [][]step{fails(errRefused), fails()} {
		for _, target := range targets {
			var call sp.Call
			attach.Reset(&call, &script{steps: steps})
			at(target, exec)(&call)
			if _, err := attach.Run(t.Context(), &call, h); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, target := range targets {
		if got := b.Remaining(target); got != 496 {
			t.Errorf("%v: %d tokens, want 496", target, got)
		}
	}
}

func TestTargetsWithoutNumberShareOneBucketInTheEnd(t *testing.T) {
	t.Parallel()
	b := newBudget(t)
	for i := range 1000 {
		b.Remaining(&sp.Target{Host: fmt.Sprint("host", i)})
	}
	r := eager(t, retry.WithBudget(b))
	late, later := &sp.Target{Host: "late"}, &sp.Target{Host: "later"}
	_, _ = run(t.Context(), r, &script{steps: fails(errRefused)}, at(late, exec))
	if b.Remaining(later) != 495 || b.Remaining(&sp.Target{Host: "host7"}) != 500 {
		t.Errorf("%d tokens for a late target, %d for an early one", b.Remaining(later), b.Remaining(&sp.Target{Host: "host7"}))
	}
}

func TestWithoutABudgetOnlyTheAttemptsCount(t *testing.T) {
	t.Parallel()
	r := eager(t, retry.WithoutBudget())
	for range 300 {
		if n := performs(t.Context(), r, always(serialization), exec); n != 3 {
			t.Fatalf("performed %d times, want 3", n)
		}
	}
}

func TestTokensStayInRangeUnderConcurrency(t *testing.T) {
	t.Parallel()
	b := newBudget(t, retry.WithCapacity(50))
	r := eager(t, retry.WithBudget(b))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				steps := fails()
				if (i+g)%3 == 0 {
					steps = fails(errRefused, errRefused)
				}
				_, _ = run(t.Context(), r, &script{steps: steps}, exec)
				if n := b.Remaining(nil); n < 0 || n > 50 {
					t.Errorf("%d tokens", n)
				}
			}
		})
	}
	wg.Wait()
}

func TestABudgetsOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]retry.BudgetOption{
		"retry: WithCapacity(0): want 1 to 1073741824 tokens":          retry.WithCapacity(0),
		"retry: WithCost(-1): want 0 to 1073741824 tokens":             retry.WithCost(-1),
		"retry: WithSlowCost(1073741825): want 0 to 1073741824 tokens": retry.WithSlowCost(1<<30 + 1),
		"retry: WithRefund(-5): want 0 to 1073741824 tokens":           retry.WithRefund(-5),
	} {
		if b, err := retry.NewBudget(nil, opt); err == nil || err.Error() != want || b != nil {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
