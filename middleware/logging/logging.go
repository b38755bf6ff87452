package logging

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/telemetry"
)

// New returns an interceptor that writes a record of each call to logger
// when the call ends: for a query when its rows are closed, for BEGIN when the
// transaction has begun.
//
// A success is logged at debug level; at warn level if it took more than one
// attempt or longer than [WithSlowThreshold] allows. A failure is logged at
// error level, unless an enclosing call reports it too: a failed statement of a
// unit of work or of a session's method is logged at warn level, a failed step
// of another call (dialling for a statement) at debug level. A call without
// I/O, such as adding an object to a session, is always logged at debug level,
// and a call that its caller cancelled at warn level. A unit of work that its own
// function gave up, by an error that says nothing about the database, is logged
// at debug level as "database call given up". sql.ErrNoRows and
// driver.ErrSkip are not failures. [WithLevels] sets the three levels.
//
// Attributes have the names of OpenTelemetry's semantic conventions; see the
// package documentation for the list. A record describes a failure by code and
// class of fault; it shows neither arguments nor, unless [WithErrorMessages]
// asks for it, the error message, in which databases quote row values.
//
// Retries, waits and refusals are logged as they happen at debug level, changes
// of a breaker's state at warn level. Most repetitions of a record above the
// debug level are dropped, see [WithSampling].
//
// The records carry the trace and span that the context holds: put logging
// inside tracing, and outside retry, to have one record per call. A call
// whose record is disabled costs two calls to Logger.Enabled. The logger's
// handler runs on the goroutine that ends the call, and delays it while it
// writes.
func New(logger *slog.Logger, opts ...Option) (sp.Interceptor, error) {
	if logger == nil {
		return nil, errors.New("logging: New(nil): want a logger")
	}
	c := defaultConfig()
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o.apply(&c); err != nil {
			return nil, err
		}
	}
	return &logging{config: c, logger: logger, statements: telemetry.NewStatements(c.text, c.textLimit)}, nil
}

// logging is what New returns.
type logging struct {
	config
	logger     *slog.Logger
	statements *telemetry.Statements
}

// OnlyObserves declares what [sp.Observer] says.
func (*logging) OnlyObserves() {}

// Wrap returns a handler that logs the calls that pass through next.
func (l *logging) Wrap(next sp.Handler) sp.Handler {
	h := &handler{logging: l, next: next, sampler: newSampler(l.sampling)}
	h.entries.New = h.newEntry
	return h.handle
}

// handler is a logging around the next handler of one chain.
type handler struct {
	*logging
	next    sp.Handler
	sampler *sampler
	entries sync.Pool
	seen    atomic.Pointer[target]
}

func (h *handler) handle(ctx context.Context, call *sp.Call) error {
	detailed := h.logger.Enabled(ctx, h.levels.success)
	if !detailed {
		if call.Op.Local() || call.Step() || !h.logger.Enabled(ctx, h.levels.failure) {
			return h.next(ctx, call)
		}
	}
	e := h.entries.Get().(*entry)
	e.call, e.ctx, e.target, e.start = call, ctx, h.target(call.Target), time.Now()
	call.OnFinish(e.finish)
	if detailed {
		call.OnEvent((&eventLog{handler: h, ctx: ctx, target: e.target}).log)
	} else {
		call.OnEvent(e.target.breaker)
	}
	err := h.next(ctx, call)
	if err == nil && call.Op.Lasting() {
		e.write(nil)
	}
	return err
}

// entry is a call that will be logged. It lives in a pool; the call's finish
// hook, which runs exactly once, puts it back.
type entry struct {
	handler *handler
	call    *sp.Call
	ctx     context.Context // that of the call, needed when it ends
	target  *target
	start   time.Time
	written bool
	attrs   []slog.Attr

	finish func(error) // the method onFinish, bound once
}

func (h *handler) newEntry() any {
	e := &entry{handler: h}
	e.finish = e.onFinish
	return e
}

// onFinish is the finish hook.
func (e *entry) onFinish(err error) {
	if !e.written {
		e.write(err)
	}
	clear(e.attrs)
	*e = entry{handler: e.handler, attrs: e.attrs[:0], finish: e.finish}
	e.handler.entries.Put(e)
}

// write writes the record, unless nobody wants it or it repeats others.
func (e *entry) write(err error) {
	e.written = true
	h := e.handler
	took := time.Since(e.start)
	f := h.judge(e.ctx, e.call, err)
	level, message := h.rate(e.call, f, took)
	if !h.logger.Enabled(e.ctx, level) {
		return
	}
	var dropped int64
	if level > h.levels.success {
		var ok bool
		if dropped, ok = h.sampler.admit(e.start.Add(took), kind{message, e.call.Op, f.kind}); !ok {
			return
		}
	}
	e.describe(f, took, dropped)
	h.logger.LogAttrs(e.ctx, level, message, e.attrs...)
}
