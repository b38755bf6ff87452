package sessionproxy_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
)

// crewed runs a call of which something is held, with act in the place of the
// interceptor that forks it, and returns what happened to what is held.
func crewed(t *testing.T, resume error, act func(ctx context.Context, call *sp.Call) error) ([]string, error) {
	t.Helper()
	var log []string
	forks := sp.InterceptorFunc(func(sp.Handler) sp.Handler { return act })
	op := linktest.NewTwin(nil)
	call := new(sp.Call)
	attach.Reset(call, op)
	call.Op = sp.OpQuery
	_, err := attach.Run(t.Context(), call, sp.NewChain(&desk{"a", &log, resume}, forks).Then(attach.Perform))
	return log, err
}

// fork returns a fork of call, which must be possible.
func fork(t *testing.T, call *sp.Call) *sp.Call {
	t.Helper()
	f, ok := call.Fork()
	if !ok {
		t.Fatal("the call can't be forked")
	}
	return f
}

// waits has a fork wait until it is told to go on.
func waits(ctx context.Context, f *sp.Call, goOn <-chan error) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- f.Wait(ctx, func(context.Context) error { return <-goOn }) }()
	synctest.Wait()
	return ended
}

// TestForksGiveBackTogether has two forks of a call wait: what is held for the call
// is given back while both do, and taken again once.
func TestForksGiveBackTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, err := crewed(t, nil, func(ctx context.Context, call *sp.Call) error {
			first, second := fork(t, call), fork(t, call)
			goOn := make(chan error)
			a := waits(ctx, first, goOn)
			b := waits(ctx, second, goOn)
			if _, ok := call.Fork(); ok {
				t.Error("the call is forked while nothing is held for it")
			}
			goOn <- nil
			goOn <- nil
			if err := errors.Join(<-a, <-b); err != nil {
				t.Error(err)
			}
			call.Abandon(second, context.Canceled)
			call.Adopt(first)
			return nil
		})
		if want := []string{"yield a", "resume a", "finish a"}; err != nil || !slices.Equal(log, want) {
			t.Errorf("%v, %v, want %v", log, err, want)
		}
	})
}

// TestAForkThatWaitsAloneGivesBack has a fork wait while the other is at work, and
// then is left alone.
func TestAForkThatWaitsAloneGivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var working []string
		log, err := crewed(t, nil, func(ctx context.Context, call *sp.Call) error {
			first, second := fork(t, call), fork(t, call)
			goOn := make(chan error)
			b := waits(ctx, second, goOn)
			working = append(working, "the first is at work")
			call.Abandon(first, errElsewhere) // it gives back now
			goOn <- nil
			if err := <-b; err != nil {
				t.Error(err)
			}
			call.Adopt(second)
			return nil
		})
		if want := []string{"yield a", "resume a", "finish a"}; err != nil || !slices.Equal(log, want) || len(working) != 1 {
			t.Errorf("%v, %v, want %v", log, err, want)
		}
	})
}

// TestNothingIsGivenBackTwiceAfterForksThatWaited ends the forks while they wait, or
// has what is held be lost: it is not given back again when the call ends.
func TestNothingIsGivenBackTwiceAfterForksThatWaited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait, resume error
		want         []string
	}{
		"refused":       {errElsewhere, nil, []string{"yield a"}},
		"not got again": {nil, errElsewhere, []string{"yield a", "resume a"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			log, err := crewed(t, c.resume, func(ctx context.Context, call *sp.Call) error {
				first, second := fork(t, call), fork(t, call)
				goOn := make(chan error)
				a, b := waits(ctx, first, goOn), waits(ctx, second, goOn)
				goOn <- c.wait
				goOn <- c.wait
				for _, ended := range []<-chan error{a, b} {
					if err := <-ended; !errors.Is(err, errElsewhere) {
						t.Errorf("%s: a fork goes on: %v", name, err)
					}
				}
				call.Abandon(first, errElsewhere)
				call.Abandon(second, errElsewhere)
				return errElsewhere
			})
			if !errors.Is(err, errElsewhere) || !slices.Equal(log, c.want) {
				t.Errorf("%s: %v, %v, want %v", name, log, err, c.want)
			}
		})
	}
}

// slowDesk is a place that takes its time.
type slowDesk struct{ turn chan struct{} }

func (d *slowDesk) Yield(*sp.Call) {}

func (d *slowDesk) Resume(ctx context.Context, _ *sp.Call) error {
	select {
	case <-d.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestAForkWaitsUntilAnotherHasTakenAgain has one fork stand in line for what is
// held, and another come meanwhile: it goes on when the first does, or leaves with
// its context.
func TestAForkWaitsUntilAnotherHasTakenAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &slowDesk{make(chan struct{})}
		_, _ = crewed(t, nil, func(ctx context.Context, call *sp.Call) error {
			call.Hold(d, func(error) {})
			impatient, leave := context.WithCancel(ctx)
			forks := []*sp.Call{fork(t, call), fork(t, call), fork(t, call)}
			goOn := []chan error{make(chan error), make(chan error), make(chan error)}
			ended := []<-chan error{waits(ctx, forks[0], goOn[0]), waits(ctx, forks[1], goOn[1]), waits(impatient, forks[2], goOn[2])}
			for _, c := range goOn { // the first one stands in line
				c <- nil
				synctest.Wait()
			}
			for i, e := range ended {
				select {
				case err := <-e:
					t.Errorf("fork %d goes on without what is held: %v", i, err)
				default:
				}
			}
			leave()
			if err := <-ended[2]; !errors.Is(err, context.Canceled) {
				t.Errorf("the one whose context has ended: %v", err)
			}
			close(d.turn)
			if err := errors.Join(<-ended[0], <-ended[1]); err != nil {
				t.Error(err)
			}
			for _, f := range forks {
				call.Abandon(f, nil)
			}
			return nil
		})
	})
}
