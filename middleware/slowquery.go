package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/sqltext"
)

// EventSlow reports a call that took longer than [SlowQuery] allows; Delay is
// how long it took.
const EventSlow sp.EventKind = "slow"

// SlowQuery returns an interceptor that writes a record, at warn level, of each
// statement that takes longer than threshold: until its rows are closed, as the
// database is at work until then. Of one statement a record is written once a
// minute ([WithSlowEvery]); it says how many were left out. The call gets an
// event, which a span shows.
//
// The record has the attributes of [Logging], and with [WithPostgresExplain] or
// [WithExplain] the server's plan. It shows no arguments, and literals of the text only if
// Logging would. A call that is fast enough costs two readings of the clock.
// threshold is above 0.
func SlowQuery(logger *slog.Logger, threshold time.Duration, opts ...SlowQueryOption) (sp.Interceptor, error) {
	if logger == nil {
		return nil, errors.New("middleware: SlowQuery(nil, …): want a logger")
	}
	if threshold <= 0 {
		return nil, fmt.Errorf("middleware: SlowQuery(…, %s): want a threshold above 0", threshold)
	}
	c := slowQueryConfig{every: time.Minute}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.applySlowQuery(&c); err != nil {
			return nil, err
		}
	}
	return &slowQuery{
		slowQueryConfig: c, logger: logger, threshold: threshold, statements: newStatements(defaultLoggingConfig()),
		seen: sqltext.NewCache[*slowTally](0, 0),
	}, nil
}

// SlowQueryOption configures [SlowQuery].
type SlowQueryOption interface {
	applySlowQuery(c *slowQueryConfig) error
}

type slowQueryOption func(c *slowQueryConfig) error

func (f slowQueryOption) applySlowQuery(c *slowQueryConfig) error { return f(c) }

type slowQueryConfig struct {
	every   time.Duration
	explain explainFunc
}

// WithSlowEvery sets how long after a record of a statement the next one is
// written: a minute by default. 0 writes all.
func WithSlowEvery(d time.Duration) SlowQueryOption {
	return slowQueryOption(func(c *slowQueryConfig) error {
		if d < 0 {
			return fmt.Errorf("middleware: SlowQuery: WithSlowEvery(%s): want no less than 0", d)
		}
		c.every = d
		return nil
	})
}

// slowQuery is what SlowQuery returns.
type slowQuery struct {
	slowQueryConfig
	logger     *slog.Logger
	threshold  time.Duration
	statements *statements
	seen       *sqltext.Cache[*slowTally]
}

// slowTally is when a statement was written last, and how many were not since.
type slowTally struct {
	mu      sync.Mutex
	last    time.Time
	dropped int64
}

var _ sp.Bystander = (*slowQuery)(nil)

// Unconcerned reports whether an operation is no statement.
func (*slowQuery) Unconcerned(_ context.Context, op sp.Op) bool {
	return op != sp.OpExec && op != sp.OpQuery && op != sp.OpBatch && op != sp.OpCopy
}

// Wrap returns a handler that watches the calls that pass through next.
func (s *slowQuery) Wrap(next sp.Handler) sp.Handler {
	w := &slowHandler{slowQuery: s, next: next}
	w.calls.New = func() any {
		c := &slowCall{handler: w}
		c.finish = c.onFinish
		return c
	}
	return w.handle
}

// slowHandler is a slowQuery around the next handler of one chain.
type slowHandler struct {
	*slowQuery
	next  sp.Handler
	calls sync.Pool
}

func (h *slowHandler) handle(ctx context.Context, call *sp.Call) error {
	if h.Unconcerned(ctx, call.Op) || call.Step() {
		return h.next(ctx, call)
	}
	c := h.calls.Get().(*slowCall)
	c.call, c.ctx, c.start = call, ctx, time.Now()
	call.OnFinish(c.finish)
	return h.next(ctx, call)
}

// slowCall is a call that may be slow. Its finish hook, which runs exactly once,
// puts it back.
type slowCall struct {
	handler *slowHandler
	call    *sp.Call
	ctx     context.Context //nolint:containedctx // that of the call, needed when it ends
	start   time.Time
	finish  func(error) // the method onFinish, bound once
}

func (c *slowCall) onFinish(error) {
	if took := time.Since(c.start); took >= c.handler.threshold {
		c.call.Event(sp.Event{Kind: EventSlow, Delay: took})
		c.handler.report(c.ctx, c.call, took)
	}
	h := c.handler
	*c = slowCall{handler: h, finish: c.finish}
	h.calls.Put(c)
}

// report writes the record, unless one was written lately.
func (h *slowHandler) report(ctx context.Context, call *sp.Call, took time.Duration) {
	dropped, ok := h.admit(call)
	if !ok || !h.logger.Enabled(ctx, slog.LevelWarn) {
		return
	}
	attrs := h.statements.describe(targetAttrs(call.Target), call)
	if call.Marks.Operation != "" {
		attrs = append(attrs, slog.String(operationKey, call.Marks.Operation))
	}
	attrs = append(attrs, slog.Float64(durationKey, took.Seconds()))
	if call.BatchSize > 1 {
		attrs = append(attrs, slog.Int(string(semconv.DBOperationBatchSizeKey), call.BatchSize))
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Int64(suppressedKey, dropped))
	}
	if plan := h.plan(ctx, call); plan != "" {
		attrs = append(attrs, slog.String(planKey, plan))
	}
	h.logger.LogAttrs(ctx, slog.LevelWarn, "slow database statement", appendTrace(attrs, ctx)...)
}

// admit reports whether a record of the call's statement is due, and how many
// were left out before it.
func (h *slowHandler) admit(call *sp.Call) (dropped int64, ok bool) {
	d := sqltext.DialectOf(systemOf(call.Target))
	t, known := h.seen.Get(d, call.Text)
	if !known {
		t = new(slowTally)
		h.seen.Put(d, call.Text, t)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < h.every {
		t.dropped++
		return 0, false
	}
	dropped, t.last, t.dropped = t.dropped, now, 0
	return dropped, true
}
