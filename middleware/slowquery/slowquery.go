package slowquery

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
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// Event reports a call that took longer than the threshold; Delay is how long
// it took.
const Event sp.EventKind = "slow"

// New returns an interceptor that writes a record, at warn level, of each
// statement that takes longer than threshold, timed until its rows are closed,
// because the database works until then. There is at most one record per
// statement and minute ([WithInterval]); it says how many were dropped. The
// call gets an event, which a span shows.
//
// The record has the attributes of middleware/logging, and with [WithPostgresExplain] or
// [WithExplain] the server's plan. It shows no arguments, and literals of the
// SQL text only if logging would. A call that is fast enough costs two readings
// of the clock. threshold has to be above 0.
func New(logger *slog.Logger, threshold time.Duration, opts ...Option) (sp.Interceptor, error) {
	if logger == nil {
		return nil, errors.New("slowquery: New(nil, …): want a logger")
	}
	if threshold <= 0 {
		return nil, fmt.Errorf("slowquery: New(…, %s): want a threshold above 0", threshold)
	}
	c := config{every: time.Minute}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return &slowQuery{
		config: c, logger: logger, threshold: threshold, statements: telemetry.NewStatements(true, telemetry.MaxLogged),
		seen: sqltext.NewCache[*tally](0, 0),
	}, nil
}

// Option configures [New].
type Option interface {
	apply(c *config) error
}

type optionFunc func(c *config) error

func (f optionFunc) apply(c *config) error { return f(c) }

type config struct {
	every   time.Duration
	explain explainFunc
}

// WithInterval sets the minimum time between two records of the same statement:
// a minute by default. 0 writes all.
func WithInterval(d time.Duration) Option {
	return optionFunc(func(c *config) error {
		if d < 0 {
			return fmt.Errorf("slowquery: WithInterval(%s): want no less than 0", d)
		}
		c.every = d
		return nil
	})
}

// slowQuery is what New returns.
type slowQuery struct {
	config
	logger     *slog.Logger
	threshold  time.Duration
	statements *telemetry.Statements
	seen       *sqltext.Cache[*tally]
}

// tally is when a statement was written last, and how many were not since.
type tally struct {
	mu      sync.Mutex
	last    time.Time
	dropped int64
}

var _ sp.Enabler = (*slowQuery)(nil)

// Enabled reports whether an operation is a statement.
func (*slowQuery) Enabled(_ context.Context, op sp.Op) bool {
	return op == sp.OpExec || op == sp.OpQuery || op == sp.OpBatch || op == sp.OpCopy
}

// OnlyObserves declares what [sp.Observer] says.
func (*slowQuery) OnlyObserves() {}

// Wrap returns a handler that watches the calls that pass through next.
func (s *slowQuery) Wrap(next sp.Handler) sp.Handler {
	w := &handler{slowQuery: s, next: next}
	w.calls.New = func() any {
		c := &watched{handler: w}
		c.finish = c.onFinish
		return c
	}
	return w.handle
}

// handler is a slowQuery around the next handler of one chain.
type handler struct {
	*slowQuery
	next  sp.Handler
	calls sync.Pool
}

func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	if !h.Enabled(ctx, call.Op) || call.Step() {
		return h.next(ctx, call)
	}
	c := h.calls.Get().(*watched)
	c.call, c.ctx, c.start = call, ctx, time.Now()
	call.OnFinish(c.finish)
	return h.next(ctx, call)
}

// watched is a call that may be slow. Its finish hook, which runs exactly once,
// puts it back.
type watched struct {
	handler *handler
	call    *sp.Call
	ctx     context.Context // that of the call, needed when it ends
	start   time.Time
	finish  func(error) // the method onFinish, bound once
}

func (c *watched) onFinish(error) {
	if took := time.Since(c.start); took >= c.handler.threshold {
		c.call.Event(sp.Event{Kind: Event, Delay: took})
		c.handler.report(c.ctx, c.call, took)
	}
	h := c.handler
	*c = watched{handler: h, finish: c.finish}
	h.calls.Put(c)
}

// report writes the record, unless one was written lately.
func (h *handler) report(ctx context.Context, call *sp.Call, took time.Duration) {
	dropped, ok := h.admit(call)
	if !ok || !h.logger.Enabled(ctx, slog.LevelWarn) {
		return
	}
	attrs := h.statements.Append(telemetry.LogTarget(call.Target), call)
	if call.Marks.Name != "" {
		attrs = append(attrs, slog.String(telemetry.OperationKey, call.Marks.Name))
	}
	attrs = append(attrs, slog.Float64(telemetry.DurationKey, took.Seconds()))
	if call.BatchSize > 1 {
		attrs = append(attrs, slog.Int(string(semconv.DBOperationBatchSizeKey), call.BatchSize))
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Int64(telemetry.SuppressedKey, dropped))
	}
	if plan := h.plan(ctx, call); plan != "" {
		attrs = append(attrs, slog.String(planKey, plan))
	}
	h.logger.LogAttrs(ctx, slog.LevelWarn, "slow database statement", telemetry.AppendTrace(attrs, ctx)...)
}

// admit reports whether a record of the call's statement is due, and how many
// were left out before it.
func (h *handler) admit(call *sp.Call) (dropped int64, ok bool) {
	d := telemetry.DialectOf(call.Target)
	t, known := h.seen.Get(d, call.Text)
	if !known {
		t = new(tally)
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
