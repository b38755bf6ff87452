package hedge

import (
	"context"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/latency"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// Event reports a hedged call: its second attempt was started, after Delay; or,
// with "won" as Detail, its second attempt supplied the result.
const Event sp.EventKind = "hedge"

// New returns an interceptor that makes a second attempt, on another
// connection, at a query that takes longer than usual, and uses the result that
// comes first. At the price of a few more queries it avoids the slowest ones,
// which a stalled connection or a busy replica keeps waiting. The other attempt
// is cancelled and its rows are discarded.
//
// Only calls that can safely run twice are hedged: queries that the caller
// marked as read-only ([sp.WithReadOnly]), whose SQL text is a single statement
// that reads and takes no locks (by the rules of middleware/readonly), on a
// handle that takes a connection for each call, outside units of work and
// transactions. Calls marked [sp.WithNoRetry] are not hedged. All other calls
// pass.
//
// When to start the second attempt is learned from each statement's own
// latencies, see [WithPercentile], or fixed, see [WithDelay]. [WithBudget]
// bounds how many are started, and so does the pool with [WithPool]: a second
// attempt that waits for a connection is useless.
//
// The first success wins. A definite answer of the database, such as a syntax
// error, ends the call too. After another failure of one attempt the call waits
// for the other, and if both fail its error is that of the first. The call
// returns when both drivers have, which for the cancelled one is at once if it
// heeds its context. Some drivers cancel by closing the connection (pgx and
// go-sql-driver do): then each hedge costs a connection, so keep the budget at
// a few percent.
//
// To other interceptors a hedged call is one attempt: put the hedge inside a
// retry, and outside a breaker and a timeout per attempt, which then see both
// attempts.
func New(opts ...Option) (sp.Interceptor, error) {
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	h := &hedge{config: c, budget: newBudget(c.budget)}
	var err error
	if h.meters, err = newMeters(c.provider, c.name); err != nil {
		return nil, err
	}
	return h, nil
}

// hedge is what New returns.
type hedge struct {
	config
	budget *budget
	meters *meters
}

var _ sp.Enabler = (*hedge)(nil)

// Enabled reports whether a call is declared to read only.
func (h *hedge) Enabled(ctx context.Context, op sp.Op) bool {
	return op == sp.OpQuery && sp.MarksFrom(ctx).ReadOnly
}

// Wrap returns a handler that may perform a query twice with next.
func (h *hedge) Wrap(next sp.Handler) sp.Handler {
	w := &handler{hedge: h, next: next, known: latency.NewStatements()}
	return w.handle
}

// handler is a hedge around the next handler of one chain.
type handler struct {
	*hedge
	next  sp.Handler
	known *latency.Statements
}

func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	if !hedgeable(call) {
		return h.next(ctx, call)
	}
	h.budget.earn()
	l := h.latencies(call)
	start := time.Now()
	err := h.perform(ctx, call, h.delay(ctx, l, start))
	if err == nil && l != nil {
		l.Observe(time.Since(start), h.percentile)
	}
	return err
}

// hedgeable reports whether a call may be performed twice at once.
func hedgeable(call *sp.Call) bool {
	if call.Op != sp.OpQuery || !call.Marks.ReadOnly || call.Marks.NoRetry || call.Scope != sp.ScopePool || !call.IsEntry() {
		return false
	}
	a := sqltext.AccessOf(telemetry.DialectOf(call.Target), call.Text)
	return a.ReadOnly && a.Single
}

// latencies returns what is known of the call's statement; nil if it does not
// matter.
func (h *handler) latencies(call *sp.Call) *latency.Histogram {
	if h.fixed != 0 {
		return nil
	}
	return h.known.Of(call)
}

// delay returns after what time to start a second attempt; 0 if there is to be
// none.
func (h *handler) delay(ctx context.Context, l *latency.Histogram, now time.Time) time.Duration {
	delay := h.fixed
	if l != nil {
		delay = l.Percentile()
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Sub(now) <= delay {
		return 0
	}
	return delay
}

// perform performs the call, twice if it takes longer than the delay.
func (h *handler) perform(ctx context.Context, call *sp.Call, delay time.Duration) error {
	if delay == 0 {
		return h.next(ctx, call)
	}
	fork, ok := call.Fork()
	if !ok {
		return h.next(ctx, call)
	}
	r := race{handler: h, ctx: ctx, call: call, delay: delay}
	r.first.open(ctx, fork)
	return r.run()
}
