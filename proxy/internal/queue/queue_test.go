package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFailed = errors.New("failed")

// What operations fail with here.
var (
	errClosed   = errors.New("closed")
	errGoexit   = errors.New("goexit")
	errPanicked = errors.New("panicked")

	errs = &Errors{Closed: errClosed, Goexit: errGoexit, Panic: func(any, []byte) error { return errPanicked }}
)

// desk is what a session has of this: a queue and what its owner has to apply.
type desk struct {
	q *Queue
	u Unapplied
}

func newDesk(limit int) *desk { return &desk{q: NewQueue(limit, errs)} }

// result is what an operation came to, or the error with which it was refused.
type result struct {
	*Typed[int]
	refused error
}

func (r result) Await(ctx context.Context) (int, error) {
	if r.refused != nil {
		return 0, r.refused
	}
	return r.Typed.Await(ctx)
}

func (d *desk) do(ctx context.Context, perform func(ctx context.Context) (int, error)) result {
	return d.enqueue(ctx, perform, nil)
}

func (d *desk) enqueue(ctx context.Context, perform func(ctx context.Context) (int, error), apply func(int) (int, error)) result {
	op := New(ctx, errs, false, perform, apply)
	return result{op, d.u.Enqueue(ctx, d.q, &op.Operation)}
}

func value(v int, err error) func(context.Context) (int, error) {
	return func(context.Context) (int, error) { return v, err }
}

// gate returns an operation that waits until it is opened, and has begun.
func gate() (op func(context.Context) (int, error), begun chan struct{}, open func()) {
	begun, opened := make(chan struct{}), make(chan struct{})
	return func(context.Context) (int, error) {
		close(begun)
		<-opened
		return 0, nil
	}, begun, sync.OnceFunc(func() { close(opened) })
}

func TestOperationsRunInProgramOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(16)
	var ran []int // by one goroutine at a time
	var last result
	for i := range 100 {
		last = d.do(t.Context(), func(context.Context) (int, error) { ran = append(ran, i); return i, nil })
	}
	if v, err := last.Await(t.Context()); v != 99 || err != nil || !slices.IsSorted(ran) || len(ran) != 100 {
		t.Error(v, err, ran)
	}
}

func TestResultsAreAppliedInOrderOnTheOwnersGoroutine(t *testing.T) {
	t.Parallel()
	d := newDesk(16)
	var applied []int // no lock: -race tells if another goroutine applies
	var fs []result
	for i := range 10 {
		fs = append(fs, d.enqueue(t.Context(), value(i, nil), func(v int) (int, error) {
			applied = append(applied, v)
			return 2 * v, nil
		}))
	}
	if v, err := fs[7].Await(t.Context()); v != 14 || err != nil {
		t.Error(v, err)
	}
	if len(applied) < 8 || !slices.IsSorted(applied) {
		t.Errorf("applied %v when the eighth was awaited", applied)
	}
	<-fs[9].Done()
	d.do(t.Context(), value(0, nil))
	if len(applied) != 10 {
		t.Errorf("applied %v at the next submission", applied)
	}
	if v, err := fs[0].Await(t.Context()); v != 0 || err != nil {
		t.Error(v, err)
	}
}

func TestAFullQueueHoldsTheCallerBack(t *testing.T) {
	t.Parallel()
	d := newDesk(2)
	op, begun, open := gate()
	defer open()
	d.do(t.Context(), op)
	<-begun
	d.do(t.Context(), value(1, nil))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errFailed)
	if _, err := d.do(ctx, value(2, nil)).Await(t.Context()); !errors.Is(err, errFailed) {
		t.Errorf("a third operation found a place: %v", err)
	}
	open()
	if v, err := d.do(t.Context(), value(3, nil)).Await(t.Context()); v != 3 || err != nil {
		t.Error(v, err)
	}
}

func TestAQueuedOperationThatIsCancelledDoesNotRun(t *testing.T) {
	t.Parallel()
	d := newDesk(4)
	op, begun, open := gate()
	d.do(t.Context(), op)
	<-begun
	ctx, cancel := context.WithCancelCause(t.Context())
	f := d.do(ctx, func(context.Context) (int, error) { t.Error("it ran"); return 0, nil })
	cancel(errFailed)
	open()
	if _, err := f.Await(t.Context()); !errors.Is(err, errFailed) {
		t.Error(err)
	}
}

func TestTheQueueGoesOnAfterAPanicAndGoexit(t *testing.T) {
	t.Parallel()
	d := newDesk(4)
	panicked := d.do(t.Context(), func(context.Context) (int, error) { panic("leave") })
	left := d.do(t.Context(), func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	if v, err := d.do(t.Context(), value(7, nil)).Await(t.Context()); v != 7 || err != nil {
		t.Error(v, err)
	}
	if _, err := panicked.Await(t.Context()); !errors.Is(err, errPanicked) {
		t.Error(err)
	}
	if _, err := left.Await(t.Context()); !errors.Is(err, errGoexit) {
		t.Error(err)
	}
	for range 8 { // every place was given back
		d.do(t.Context(), value(0, nil))
	}
}

func TestThereIsAGoroutineOnlyWhileThereIsWork(t *testing.T) {
	t.Parallel()
	d := newDesk(4)
	for range 3 {
		if _, err := d.do(t.Context(), value(0, nil)).Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		busy := func() bool {
			d.q.mu.Lock()
			defer d.q.mu.Unlock()
			return d.q.state != idle
		}
		for busy() { // it ends by itself; if not, the test does not
			runtime.Gosched()
		}
	}
}

// TestAnOperationMayAwaitItsOwnSession is what RunSync needs: a function on
// the queue's goroutine uses the session, and awaits even what was queued after
// it.
func TestAnOperationMayAwaitItsOwnSession(t *testing.T) {
	t.Parallel()
	d := newDesk(1) // no place to spare
	v, err := d.do(t.Context(), func(ctx context.Context) (int, error) {
		return d.do(ctx, value(7, nil)).Await(ctx)
	}).Await(t.Context())
	if v != 7 || err != nil {
		t.Error(v, err)
	}

	d = newDesk(4)
	begun, after := make(chan struct{}), make(chan result)
	outer := d.do(t.Context(), func(ctx context.Context) (int, error) {
		close(begun)
		later := <-after
		return later.peek(ctx)
	})
	<-begun
	after <- d.do(t.Context(), value(8, nil))
	if v, err := outer.Await(t.Context()); v != 8 || err != nil {
		t.Error(v, err)
	}
}

// peek waits for an operation as its owner's Await does, and leaves alone what
// is the owner's to apply.
func (op *Typed[T]) peek(ctx context.Context) (T, error) {
	if err := op.waitPerformed(ctx); err != nil {
		return op.value, err
	}
	return op.value, op.err
}

func TestErrorsThatNobodySawAreKept(t *testing.T) {
	t.Parallel()
	d := newDesk(4)
	unseen := errors.New("unseen")
	seen := d.do(t.Context(), value(0, errFailed))
	d.do(t.Context(), value(0, unseen))
	if _, err := d.do(t.Context(), value(0, nil)).Await(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := seen.Await(t.Context()); !errors.Is(err, errFailed) {
		t.Error(err)
	}
	if err := d.q.Unseen(); !errors.Is(err, unseen) || errors.Is(err, errFailed) {
		t.Errorf("kept: %v", err)
	}
	if err := d.q.Unseen(); err != nil {
		t.Errorf("told twice: %v", err)
	}
}

func TestAClosedQueueRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(4)
	last := d.do(t.Context(), value(7, nil))
	d.q.Close()
	if _, err := d.do(t.Context(), value(0, nil)).Await(t.Context()); !errors.Is(err, errClosed) {
		t.Error(err)
	}
	if v, err := last.Await(t.Context()); v != 7 || err != nil {
		t.Error(v, err)
	}
}

// TestAnyProgramHasTheResultsOfABlockingOne runs random programs of
// operations and awaits, in any order, and compares every result.
func TestAnyProgramHasTheResultsOfABlockingOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk(rapid.IntRange(1, 8).Draw(t, "limit"))
		state, applied := 0, 0 // the database's, the objects'
		var fs []result
		var want []int
		model := 0
		for step := range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch kind := rapid.SampledFrom([]string{"submit", "fail", "await"}).Draw(t, fmt.Sprint(step)); {
			case kind == "await" && len(fs) > 0:
				i := rapid.IntRange(0, len(fs)-1).Draw(t, "which")
				v, err := fs[i].Await(context.Background())
				if (err != nil) != (want[i] < 0) || err == nil && v != want[i] {
					t.Fatalf("operation %d gave %d, %v, want %d", i, v, err, want[i])
				}
				if applied < i+1 {
					t.Fatalf("%d results were applied before that of %d", applied, i)
				}
			case kind == "fail":
				fs = append(fs, d.enqueue(context.Background(), value(0, errFailed), nil))
				want = append(want, -1)
				applied++ // nothing to apply
			default:
				model++
				fs = append(fs, d.enqueue(context.Background(),
					func(context.Context) (int, error) { state++; return state, nil },
					func(v int) (int, error) { applied++; return v, nil }))
				want = append(want, model)
			}
		}
		if len(fs) > 0 {
			_, _ = fs[len(fs)-1].Await(context.Background())
		}
		if state != model {
			t.Fatalf("%d operations ran, want %d", state, model)
		}
	})
}
