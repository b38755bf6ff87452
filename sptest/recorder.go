package sptest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// Recorder is an interceptor that keeps the calls as they ended, for tests to assert
// on. Put it outermost to see each call as its caller does, or innermost to see each
// attempt. The zero value is ready for use. It only observes, is safe for concurrent
// use, and keeps everything until [Recorder.Reset].
type Recorder struct {
	mu    sync.Mutex
	calls []Ended
}

// Ended is a call that has ended: for a query when its rows were closed, for BEGIN
// when the transaction ended.
type Ended struct {
	Call
	// Attempt is the number of the last attempt that the recorder has seen.
	Attempt int
	// RowsAffected is how many rows it changed; -1 if that is not known.
	RowsAffected int64
	// RowsReturned is how many rows its caller has read.
	RowsReturned int64
	// Err is the error with which it ended.
	Err error
	// Class is the kind of the error.
	Class fault.Class
}

// Wrap is the method of [sessionproxy.Interceptor].
func (r *Recorder) Wrap(next sessionproxy.Handler) sessionproxy.Handler {
	return func(ctx context.Context, call *sessionproxy.Call) error {
		call.OnFinish(func(err error) {
			e := Ended{
				Call: callOf(call), Attempt: call.Attempt(), RowsAffected: call.RowsAffected, RowsReturned: call.RowsReturned,
				Err: err, Class: call.Verdict(err).Class,
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.calls = append(r.calls, e)
		})
		return next(ctx, call)
	}
}

// OnlyObserves implements [sessionproxy.Observer].
func (*Recorder) OnlyObserves() {}

// Calls returns the calls that have ended, in the order of their ends.
func (r *Recorder) Calls() []Ended {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Statements returns the statements among the calls: what was executed, queried, sent
// as a batch or copied.
func (r *Recorder) Statements() []Ended {
	return slices.DeleteFunc(r.Calls(), func(e Ended) bool { return !slices.Contains(statements, e.Op) })
}

// Reset forgets the calls.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

// MaxStatements fails the test if more than n statements end between its call and
// that of the function it returns, which does not block: around a request or a unit
// of work, where a loop around a query shows at once. The failure lists the
// statements by summary.
//
//	defer recorder.MaxStatements(t, 3)()
func (r *Recorder) MaxStatements(t testing.TB, n int) func() {
	t.Helper()
	before := len(r.Statements())
	return func() {
		t.Helper()
		all := r.Statements()
		since := all[min(before, len(all)):]
		if len(since) <= n {
			return
		}
		var order []string
		count := map[string]int{}
		for _, e := range since {
			if count[e.Summary]++; count[e.Summary] == 1 {
				order = append(order, e.Summary)
			}
		}
		for i, s := range order {
			order[i] = fmt.Sprintf("%d × %s", count[s], s)
		}
		t.Errorf("%d statements, want at most %d: %s", len(since), n, strings.Join(order, ", "))
	}
}
