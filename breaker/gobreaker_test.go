package breaker_test

// What gobreaker does that a breaker around a database must not, and what its
// users would write to get there. Each was seen on gobreaker v2.4.0 itself.

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
)

func TestCallersWhoGiveUpAndMissingRowsDoNotOpenIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		for _, err := range []error{context.Canceled, context.DeadlineExceeded, sql.ErrNoRows, sql.ErrTxDone} {
			r := newRig(t, breaker.WithMinimumRequests(1), breaker.WithFailureRate(0.01), breaker.WithConsecutiveFailures(1))
			r.exec(1000, err)
			r.want(breaker.StateClosed)
		}
	})
}

func TestTenThousandViolationsLeaveItClosed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithMinimumRequests(1), breaker.WithFailureRate(0.01), breaker.WithConsecutiveFailures(1))
		r.exec(10_000, errUnique)
		r.want(breaker.StateClosed)
		if got, want := r.counts(), (breaker.Counts{Successes: 10_000}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}

func TestAProbeThatEndsItsGoroutineDoesNotWedgeIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithProbes(1))
		r.open()
		time.Sleep(11 * time.Second)
		for _, end := range []func(){runtime.Goexit, func() { panic("probe") }} {
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { _ = recover() }()
				_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error { end(); return nil }))
			})
			wg.Wait()
			r.want(breaker.StateHalfOpen)
		}
		r.exec(1, nil)
		r.want(breaker.StateClosed)
	})
}

func TestRowsThatNobodyClosesDoNotWedgeIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithProbes(1))
		r.open()
		time.Sleep(11 * time.Second)
		leaked := newCall(sp.OpQuery, rows)
		if err := r.run(leaked); err != nil {
			t.Fatal(err)
		}
		r.want(breaker.StateClosed)
		attach.Finish(leaked, errRefused)
		if got := r.counts(); got != (breaker.Counts{}) {
			t.Errorf("the probe counted twice: %+v", got)
		}
	})
}

func TestAHangingProbeLosesItsPlaceWhenItsLeaseIsOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithProbes(1), breaker.WithProbeLease(30*time.Second))
		r.open()
		time.Sleep(11 * time.Second)
		hang, hanging := make(chan error), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error { close(hanging); return <-hang }))
		})
		<-hanging
		time.Sleep(30*time.Second - 1)
		if !r.refuses() {
			t.Fatal("a second probe was let through within the lease of the first")
		}
		time.Sleep(time.Nanosecond)
		r.exec(1, nil)
		r.want(breaker.StateClosed)
		hang <- errRefused // too late to count
		wg.Wait()
		if got := r.counts(); got != (breaker.Counts{}) {
			t.Errorf("the hanging probe counted after all: %+v", got)
		}
	})
}

func TestAnOutcomeCountsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(2))
		query := newCall(sp.OpQuery, rows)
		_ = r.run(query)
		for range 3 {
			attach.Finish(query, errRefused)
		}
		if got := r.counts().Failures; got != 1 {
			t.Errorf("one query counted %d failures", got)
		}
	})
}

func TestAPanicWithRowsOpenCountsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(1))
		outer := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				_ = next(ctx, call)
				panic("outer")
			}
		})
		func() {
			defer func() { _ = recover() }()
			_, _ = attach.Run(t.Context(), newCall(sp.OpQuery, rows), sp.NewChain(outer, r.Breaker).Then(attach.Perform))
		}()
		if got, want := r.counts(), (breaker.Counts{Excluded: 1}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}

func TestAWatcherMayAskForTheState(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var b *breaker.Breaker
		told := 0
		watch := func(to breaker.State) {
			told++
			if got := b.State(target); got != to {
				t.Errorf("watcher was told %v and sees %v", to, got)
			}
			for s := range b.States() {
				if s.State != to {
					t.Errorf("watcher was told %v and sees %+v", to, s)
				}
			}
		}
		r := newRig(t, breaker.WithProbes(1), breaker.WithConsecutiveFailures(1),
			breaker.WithOnStateChange(func(c breaker.Change) {
				if c.To != breaker.StateHalfOpen { // the probe has begun only
					watch(c.To)
				}
			}),
			breaker.WithGobreakerSettings(func(s *gobreaker.Settings) {
				s.OnStateChange = func(_ string, _, to gobreaker.State) {
					if to == gobreaker.StateOpen {
						watch(breaker.StateOpen)
					}
				}
			}))
		b = r.Breaker
		r.exec(1, errRefused)
		time.Sleep(11 * time.Second)
		r.exec(1, nil)
		if told != 3 {
			t.Errorf("watchers were told %d changes, want 3", told)
		}
	})
}

func TestFailuresSpreadThinlyOpenItAllTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		bare := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{Interval: 200 * time.Millisecond, BucketPeriod: 20 * time.Millisecond})
		r := newRig(t, breaker.WithWindow(10, 20*time.Millisecond), breaker.WithConsecutiveFailures(6))
		byRate := newRig(t, breaker.WithConsecutiveFailures(0), breaker.WithMinimumRequests(10))
		for i := range 12 {
			if done, err := bare.Allow(); err == nil {
				done(errRefused)
			}
			if i < 6 {
				r.exec(1, errRefused)
			}
			if i < 10 {
				byRate.exec(1, errRefused)
			}
			time.Sleep(60 * time.Millisecond)
		}
		if bare.State() != gobreaker.StateClosed {
			t.Error("gobreaker has learnt to count: its streak can be trusted now")
		}
		r.want(breaker.StateOpen)
		byRate.want(breaker.StateOpen)
	})
}

func TestAnOutageThatShowsInTimeoutsOpensItByRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		// 30 workers, each of whose calls fails after 30 s: longer than the window.
		bare := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{Interval: 10 * time.Second, BucketPeriod: time.Second})
		r := newRig(t, breaker.WithConsecutiveFailures(0))
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				done, err := bare.Allow()
				_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error { time.Sleep(30 * time.Second); return errRefused }))
				if err == nil {
					done(errRefused)
				}
			})
		}
		wg.Wait()
		if got := bare.Counts().TotalFailures; got != 0 {
			t.Errorf("gobreaker has learnt to count what outlives its window: %d failures", got)
		}
		r.want(breaker.StateOpen)
	})
}

func TestCallsRunSideBySideInEveryState(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithProbes(4))
		four := func() time.Duration {
			begin := time.Now()
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					_ = r.run(newCall(sp.OpExec, func(context.Context, *sp.Call) error { time.Sleep(50 * time.Millisecond); return nil }))
				})
			}
			wg.Wait()
			return time.Since(begin)
		}
		if got := four(); got != 50*time.Millisecond {
			t.Errorf("four calls took %v when closed, want 50ms", got)
		}
		r.open()
		time.Sleep(11 * time.Second)
		if four(); r.State(target) != breaker.StateHalfOpen {
			t.Error("closed after a probe of four")
		}
		if four(); r.State(target) != breaker.StateHalfOpen {
			t.Error("closed after three probes of four")
		}
		if four(); r.State(target) != breaker.StateClosed {
			t.Error("half-open after four probes of four")
		}
	})
}

func TestTheDistributedBreakerIsNotUsed(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range identifiers(source) {
			if strings.Contains(name, "Distributed") || strings.Contains(name, "SharedData") {
				t.Errorf("%s uses %s, which holds the store's lock while a call runs", f.Name(), name)
			}
		}
	}
}

func TestAWrappedRefusalOfAnotherBreakerIsNoFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		r := newRig(t, breaker.WithConsecutiveFailures(1))
		r.exec(1, fmt.Errorf("inner: %w", errors.Join(breaker.ErrOpen, errStrange)))
		r.want(breaker.StateClosed)
	})
}
