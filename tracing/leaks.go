package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	sp "github.com/sessionproxy/sessionproxy"
)

// WithLeakDetection reports rows, batches, transactions and connections taken
// from a pool that have been open for longer than threshold. Each keeps a
// connection from all other callers, forever if it was forgotten. A report is a
// record of logger at warn level, with the trace and the stack of the call that
// opened it; the event "result.overdue" of its span; and, with a meter
// provider, the metric sessionproxy.result.overdue, the number of those still
// open. If one is closed later, the number goes down and a record is written at
// info level.
//
// Calls that a filter refuses are watched too. Of two tracing interceptors in a
// chain, give the option to the outer one. The transaction of a unit of work is
// not watched, since it is never forgotten, nor is a connection taken with
// [database/sql.DB.Conn], of which the driver does not learn. Reports are made
// on a separate goroutine, which ends with them, so a slow log handler delays
// nothing else. A threshold that is not positive and a nil logger are errors.
func WithLeakDetection(threshold time.Duration, logger *slog.Logger) Option {
	return optionFunc(func(c *config) error {
		if threshold <= 0 {
			return fmt.Errorf("tracing: WithLeakDetection: %v is not positive", threshold)
		}
		if logger == nil {
			return fmt.Errorf("tracing: WithLeakDetection(%v): the logger is nil", threshold)
		}
		c.leakThreshold, c.leakLogger = threshold, logger
		return nil
	})
}

// leaks are the open results of all calls, oldest first. That they are too old
// is found out by a timer, which runs only while there are any: a result that
// nobody refers to any more can't be told by the garbage collector, since
// database/sql keeps a goroutine with every transaction, and with rows whose
// context can end.
type leaks struct {
	threshold time.Duration
	log       *slog.Logger
	count     metric.Int64UpDownCounter // nil: no metrics

	free sync.Pool

	mu     sync.Mutex
	oldest *openResult
	newest *openResult
	timer  *time.Timer
	armed  bool
}

// openResult is a result that its caller has not closed yet.
type openResult struct {
	leaks      *leaks
	prev, next *openResult // in the list of leaks, while it is listed
	listed     bool
	overdue    bool
	opening
	finish func(error) // the method onFinish, bound once
}

// opening is what there is to tell of an open result.
type opening struct {
	op      sp.Op
	record  *record
	ctx     context.Context // that of the call, for its trace
	at      time.Time
	callers [48]uintptr
	depth   int
}

func newLeaks(cfg config) (*leaks, error) {
	l := &leaks{threshold: cfg.leakThreshold, log: cfg.leakLogger}
	l.free.New = func() any {
		o := &openResult{leaks: l}
		o.finish = o.onFinish
		return o
	}
	if cfg.meters == nil {
		return l, nil
	}
	var err error
	l.count, err = meterOf(cfg.meters).Int64UpDownCounter("sessionproxy.result.overdue", metric.WithUnit("{result}"),
		metric.WithDescription("Rows, transactions and connections that have been open for longer than is allowed, and still are."))
	return l, err
}

// wrap returns a handler that watches what calls leave open.
func (l *leaks) wrap(h *handler, next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		if !mayLeak(call) {
			return next(ctx, call)
		}
		r := h.records.of(h.Tracing, call) // interceptors further in may change the text
		err := next(ctx, call)
		if err == nil && call.Open() {
			call.OnFinish(l.watch(ctx, call.Op, r).finish)
		}
		return err
	}
}

// leaksResult reports whether calls of op open what somebody has to close.
func leaksResult(op sp.Op) bool {
	return op == sp.OpQuery || op == sp.OpBatch || op == sp.OpBegin || op == sp.OpAcquire
}

// mayLeak reports whether it is the caller who has to close what the call
// opens, and not a call above it.
func mayLeak(call *sp.Call) bool {
	return leaksResult(call.Op) && !call.Step() && (call.Op != sp.OpBegin || !inUnit(call))
}

// watch puts a new result into the list.
func (l *leaks) watch(ctx context.Context, op sp.Op, r *record) *openResult {
	o := l.free.Get().(*openResult)
	o.op, o.record, o.ctx = op, r, ctx
	o.depth = runtime.Callers(3, o.callers[:])
	l.mu.Lock()
	defer l.mu.Unlock()
	o.at = time.Now() // under the lock, so that the list is in order
	o.listed, o.prev = true, l.newest
	if l.newest == nil {
		l.oldest = o
	} else {
		l.newest.next = o
	}
	l.newest = o
	if !l.armed {
		l.arm(l.threshold)
	}
	return o
}

// arm has the list looked at in a while. The lock is held.
func (l *leaks) arm(in time.Duration) {
	l.armed = true
	if l.timer == nil {
		l.timer = time.AfterFunc(in, l.sweep)
		return
	}
	l.timer.Reset(in)
}

// unlink takes a result out of the list. The lock is held.
func (l *leaks) unlink(o *openResult) {
	if o.prev == nil {
		l.oldest = o.next
	} else {
		o.prev.next = o.next
	}
	if o.next == nil {
		l.newest = o.prev
	} else {
		o.next.prev = o.prev
	}
	o.prev, o.next, o.listed = nil, nil, false
}

// sweep reports what has been open for too long.
func (l *leaks) sweep() {
	for _, o := range l.takeOverdue() {
		o.report(l)
	}
}

// takeOverdue takes the overdue results out of the list, and sees to it that
// the next one is noticed in time.
func (l *leaks) takeOverdue() (out []opening) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	for o := l.oldest; o != nil; o = l.oldest {
		if left := l.threshold - time.Since(o.at); left > 0 {
			l.arm(left)
			break
		}
		l.unlink(o)
		o.overdue = true
		out = append(out, o.opening)
	}
	return out
}

// onFinish is the finish hook of a call whose result is watched.
func (o *openResult) onFinish(error) {
	l := o.leaks
	l.mu.Lock()
	if o.listed {
		l.unlink(o)
	}
	overdue := o.overdue
	l.mu.Unlock()
	if overdue {
		o.reportClosed(l)
	}
	o.overdue, o.record, o.ctx = false, nil, nil
	l.free.Put(o)
}
