package integration_test

import (
	"context"
	"sync"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// watch is an interceptor that writes down what passes: calls, events, what
// each attempt meant.
type watch struct {
	mu       sync.Mutex
	calls    []watched
	events   []sp.Event
	verdicts []fault.Verdict
	started  int
	finished int
}

type watched struct {
	op     sp.Op
	text   string
	inTx   bool
	target sp.Target
	rows   int64
	err    error
}

func (w *watch) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		w.mu.Lock()
		w.started++
		w.mu.Unlock()
		op, text, inTx, target := call.Op, call.Text, call.InTx, sp.Target{}
		if call.Target != nil {
			target = *call.Target
		}
		call.OnEvent(func(e sp.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		})
		call.OnFinish(func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.finished++
			w.calls = append(w.calls, watched{op, text, inTx, target, call.RowsReturned, err})
			if err != nil {
				w.verdicts = append(w.verdicts, call.Verdict(err))
			}
		})
		return next(ctx, call)
	}
}

// count returns how many events of a kind were seen.
func (w *watch) count(kind sp.EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// of returns the finished calls of an operation.
func (w *watch) of(op sp.Op) (out []watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.op == op {
			out = append(out, c)
		}
	}
	return out
}

// open returns how many calls were started and not finished.
func (w *watch) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.started - w.finished
}
