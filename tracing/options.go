package tracing

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
)

// config is what the options set.
type config struct {
	tracers   trace.TracerProvider // nil: no spans
	meters    metric.MeterProvider // nil: no metrics
	childOnly bool                 // no span without a parent
	sessions  bool
	pool      string // the name of the pool whose times are recorded; empty: none
	without   map[sp.Op]bool

	spanName   func(context.Context, *sp.Call) string
	filter     func(context.Context, *sp.Call) bool
	attributes []attribute.KeyValue

	text       textMode
	textLimit  int // bytes; 0: none
	parameters map[string]bool

	failure  func(error) bool
	canceled bool // a call that its caller cancelled is a failure
	messages bool
	rows     bool

	transactions bool // those that are begun by hand have spans

	leakThreshold time.Duration // 0: open results are not watched
	leakLogger    *slog.Logger
}

// textMode says how the text of statements is recorded.
type textMode uint8

const (
	textAsWritten textMode = iota // if it has parameters, otherwise sanitised
	textSanitized
	textNone
)

func defaultConfig() config {
	return config{
		tracers:   otel.GetTracerProvider(),
		sessions:  true,
		textLimit: 4096,
		canceled:  true,
	}
}

// counts reports whether an error is a failure: [WithErrorStatus] decides, or by
// default its kind. What does not count tells of nothing gone wrong: an empty
// answer, a driver's request to be called in another way, a unit of work that
// its own function has given up.
func (c *config) counts(err error, class fault.Class) bool {
	if c.failure != nil {
		return c.failure(err)
	}
	return class != fault.ClassCaller && !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, driver.ErrSkip)
}

// Option configures [New].
type Option interface{ apply(c *config) error }

type optionFunc func(*config) error

func (f optionFunc) apply(c *config) error { return f(c) }

// WithTracerProvider makes spans with p. The default is the global provider,
// [otel.GetTracerProvider], taken when [New] is called; one that is set later
// takes effect all the same. The API's no-op provider turns spans off
// altogether. Nil is an error.
func WithTracerProvider(p trace.TracerProvider) Option {
	return optionFunc(func(c *config) error {
		if p == nil {
			return errors.New("tracing: WithTracerProvider: the provider is nil")
		}
		c.tracers = p
		if _, off := p.(noop.TracerProvider); off {
			c.tracers = nil
		}
		return nil
	})
}

// WithoutSpans turns spans off, for metrics only.
func WithoutSpans() Option {
	return optionFunc(func(c *config) error {
		c.tracers = nil
		return nil
	})
}

// WithMeterProvider records metrics with p. The default is to record none. Nil
// is an error.
func WithMeterProvider(p metric.MeterProvider) Option {
	return optionFunc(func(c *config) error {
		if p == nil {
			return errors.New("tracing: WithMeterProvider: the provider is nil")
		}
		c.meters = p
		return nil
	})
}

// WithPoolName records how long connections of a pool take to open, how long
// callers wait for them and how long they are used, as
// db.client.connection.create_time, .wait_time and .use_time with this name in
// the attribute db.client.connection.pool.name. The last two are reported only
// by pools that show when connections are taken: those of driver/pgxdb. It
// needs [WithMeterProvider]; without one, or with an empty name, [New] fails.
// For the pool's size and state see [WatchPool].
func WithPoolName(name string) Option {
	return optionFunc(func(c *config) error {
		if name == "" {
			return errors.New("tracing: WithPoolName: the name is empty")
		}
		c.pool = name
		return nil
	})
}

// WithoutRootSpans makes no span for a call whose context holds no parent, that
// is, a span being recorded or a sampled one of another process. Metrics are
// still recorded. The default is to start a new trace for such a call.
func WithoutRootSpans() Option {
	return optionFunc(func(c *config) error {
		c.childOnly = true
		return nil
	})
}

// WithoutSessionSpans makes no spans for the methods of a session. The default
// is an INTERNAL span for each that may do I/O.
func WithoutSessionSpans() Option {
	return optionFunc(func(c *config) error {
		c.sessions = false
		return nil
	})
}

// WithoutOperations makes neither spans nor metrics for calls of these
// operations, such as [sp.OpPing]. The default is to observe every operation
// that may do I/O except [sp.OpClose]. An operation that does not exist is an
// error.
func WithoutOperations(ops ...sp.Op) Option {
	return optionFunc(func(c *config) error {
		for _, op := range ops {
			if op.String() == sp.OpUnknown.String() {
				return fmt.Errorf("tracing: WithoutOperations: %d is no operation", op)
			}
			if c.without == nil {
				c.without = make(map[sp.Op]bool)
			}
			c.without[op] = true
		}
		return nil
	})
}

// WithFilter observes only calls for which f returns true: the others get
// neither spans nor metrics. f runs for each call before anything else, must be
// safe for concurrent use, and must not change or keep the call. Nil is an
// error.
func WithFilter(f func(ctx context.Context, call *sp.Call) bool) Option {
	return optionFunc(func(c *config) error {
		if f == nil {
			return errors.New("tracing: WithFilter: the function is nil")
		}
		c.filter = f
		return nil
	})
}

// WithSpanNameFunc names spans by what f returns; an empty string means the
// default name. Return few different names, without values. f must be safe for
// concurrent use, and must not change or keep the call. The default name is the
// one given by [sp.WithCallName], else the summary of the query, else the
// operation and its target. Nil is an error.
func WithSpanNameFunc(f func(ctx context.Context, call *sp.Call) string) Option {
	return optionFunc(func(c *config) error {
		if f == nil {
			return errors.New("tracing: WithSpanNameFunc: the function is nil")
		}
		c.spanName = f
		return nil
	})
}

// WithAttributes adds attributes to every span and every measurement. An
// attribute with the key of one that this package sets replaces it. They are
// attributes of metrics too, so use few different values. An attribute without
// a key is an error.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return optionFunc(func(c *config) error {
		for _, kv := range attributes {
			if !kv.Valid() {
				return fmt.Errorf("tracing: WithAttributes: the attribute with the value %q has no key", kv.Value.String())
			}
		}
		c.attributes = append(c.attributes, attributes...)
		return nil
	})
}
