package proxy_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/dbtest"
	"github.com/sessionproxy/sessionproxy/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(dbtest.Runner(m)) }

var errDB = errors.New("database failed")

// pending returns a future and a function that settles it.
func pending[T any](t *testing.T) (proxy.Future[T], func(T, error)) {
	t.Helper()
	type result struct {
		v   T
		err error
	}
	c := make(chan result, 1)
	f := proxy.Spawn(context.Background(), func(context.Context) (T, error) {
		r := <-c
		return r.v, r.err
	})
	settle := func(v T, err error) {
		select {
		case c <- result{v, err}:
		default:
		}
	}
	t.Cleanup(func() {
		var zero T
		settle(zero, nil)
		<-f.Done()
	})
	return f, settle
}

func TestASettledFutureIsThere(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	f := proxy.Settled(7, errDB)
	<-f.Done()
	if v, err := f.Await(over); v != 7 || !errors.Is(err, errDB) {
		t.Error(v, err)
	}
	if v, ok, err := f.Poll(); v != 7 || !ok || !errors.Is(err, errDB) {
		t.Error(v, ok, err)
	}
	var c proxy.Completion
	<-c.Done()
	if ok, err := c.Poll(); !ok || err != nil || c.Await(over) != nil {
		t.Error(ok, err)
	}
}

func TestASettledFutureAllocatesNothing(t *testing.T) {
	ctx := context.Background()
	if n := alloctest.PerRun(100, func() {
		f := proxy.Settled(7, nil)
		if v, err := f.Await(ctx); v != 7 || err != nil {
			t.Fatal(v, err)
		}
		if err := (proxy.Completion{}).Await(ctx); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestGivingUpAWaitDoesNotGiveUpTheOperation(t *testing.T) {
	t.Parallel()
	f, settle := pending[int](t)
	if _, ok, err := f.Poll(); ok || err != nil {
		t.Error("a pending future is through", ok, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errDB)
	if _, err := f.Await(ctx); !errors.Is(err, errDB) {
		t.Errorf("got %v, want the cause", err)
	}
	settle(7, nil)
	for range 2 {
		if v, err := f.Await(t.Context()); v != 7 || err != nil {
			t.Error(v, err)
		}
	}
	if v, ok, err := f.Poll(); v != 7 || !ok || err != nil {
		t.Error(v, ok, err)
	}
}

func TestPanicsAndGoexitBecomeErrors(t *testing.T) {
	t.Parallel()
	_, err := proxy.Spawn(t.Context(), func(context.Context) (int, error) { panic("s3cr3t") }).Await(t.Context())
	var p *proxy.PanicError
	if !errors.As(err, &p) || p.Value != "s3cr3t" || len(p.Stack) == 0 {
		t.Error(err)
	}
	if err == nil || err.Error() != "proxy: the operation panicked with a value of type string" {
		t.Errorf("the message is %v", err)
	}
	_, err = proxy.Spawn(t.Context(), func(context.Context) (int, error) { panic(errDB) }).Await(t.Context())
	if !errors.Is(err, errDB) {
		t.Error(err)
	}
	var none []int
	_, err = proxy.Spawn(t.Context(), func(context.Context) (int, error) { return none[len(none)], nil }).Await(t.Context())
	if _, ok := errors.AsType[runtime.Error](err); !ok {
		t.Error(err)
	}
	_, err = proxy.Spawn(t.Context(), func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }).Await(t.Context())
	if !errors.Is(err, proxy.ErrGoexit) {
		t.Error(err)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	a, settleA := pending[int](t)
	b, settleB := pending[int](t)
	all := proxy.All(a, b, proxy.Settled(3, nil))
	settleB(2, nil)
	select {
	case <-all.Done():
		t.Error("it is through before its parts are")
	default:
	}
	settleA(1, nil)
	<-all.Done()
	if got, err := all.Await(t.Context()); err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Error(got, err)
	}
	other := errors.New("another")
	if got, err := proxy.All(proxy.Settled(1, nil), proxy.Settled(0, errDB), proxy.Settled(0, other)).Await(t.Context()); !errors.Is(err, errDB) || got != nil {
		t.Error(got, err)
	}
	if got, err := proxy.All[int]().Await(t.Context()); err != nil || len(got) != 0 {
		t.Error(got, err)
	}
}

func TestAnyIsTheFirstThatSucceeds(t *testing.T) {
	t.Parallel()
	slow, _ := pending[int](t)
	failed, fail := pending[int](t)
	fast, settle := pending[int](t)
	first := proxy.Any(slow, failed, fast)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := first.Await(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	fail(0, errDB)
	settle(7, nil)
	for range 2 {
		if v, err := first.Await(t.Context()); v != 7 || err != nil {
			t.Error(v, err)
		}
	}
	if _, err := proxy.Any(proxy.Settled(0, errDB), proxy.Settled(0, context.Canceled)).Await(t.Context()); !errors.Is(err, errDB) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := proxy.Any[int]().Await(t.Context()); err == nil {
		t.Error("any of no futures succeeded")
	}
}

func TestThenRunsOnceInsideAwait(t *testing.T) {
	t.Parallel()
	f, settle := pending[int](t)
	runs := 0
	double := proxy.Then(f, func(_ context.Context, v int) (int, error) { runs++; return 2 * v, nil })
	settle(7, nil)
	<-double.Done()
	if runs != 0 {
		t.Error("it ran without being awaited")
	}
	for range 2 {
		if v, err := double.Await(t.Context()); v != 14 || err != nil {
			t.Error(v, err)
		}
	}
	if runs != 1 {
		t.Errorf("it ran %d times", runs)
	}
	never := proxy.Then(proxy.Settled(0, errDB), func(context.Context, int) (int, error) { t.Error("it ran after a failure"); return 0, nil })
	if _, err := never.Await(t.Context()); !errors.Is(err, errDB) {
		t.Error(err)
	}
}
