package preset

import (
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// An Option changes a [Preset]. Bad values are errors of [New].
type Option interface{ apply(c *config) }

type optionFunc func(c *config)

func (f optionFunc) apply(c *config) { f(c) }

// config says which interceptors there are: those whose options are not nil.
type config struct {
	meters metric.MeterProvider

	page    *[]statusz.Option
	tracing *[]tracing.Option

	logger  *slog.Logger
	logging []logging.Option

	slowLogger    *slog.Logger
	slowThreshold time.Duration
	slow          []slowquery.Option

	recovery *[]recovery.Option
	own      []sessionproxy.Interceptor
	timeout  *timeLimit
	limit    *limits
	adaptive *[]adaptivelimit.Option
	retry    *[]retry.Option
	hedge    *[]hedge.Option
	throttle *[]throttle.Option
	breaker  *[]breaker.Option
	attempt  *timeLimit
}

type timeLimit struct {
	limit time.Duration
	opts  []timeout.Option
}

type limits struct {
	n    int
	opts []limit.Option
}

func defaultConfig() config {
	return config{
		page: new([]statusz.Option), tracing: new([]tracing.Option), retry: new([]retry.Option),
		throttle: new([]throttle.Option), breaker: new([]breaker.Option),
	}
}

// WithMeterProvider turns on the metrics of all interceptors that have any. The
// default is none.
func WithMeterProvider(p metric.MeterProvider) Option {
	return optionFunc(func(c *config) { c.meters = p })
}

// WithTracing sets options of the spans, which are on by default; see
// [tracing.New].
func WithTracing(opts ...tracing.Option) Option {
	return optionFunc(func(c *config) { c.tracing = &opts })
}

// WithoutTracing leaves spans and the metrics of operations out.
func WithoutTracing() Option { return optionFunc(func(c *config) { c.tracing = nil }) }

// WithPage sets options of the live page, which is on by default; see
// [statusz.New].
func WithPage(opts ...statusz.Option) Option {
	return optionFunc(func(c *config) { c.page = &opts })
}

// WithoutPage leaves the live page out.
func WithoutPage() Option { return optionFunc(func(c *config) { c.page = nil }) }

// WithLogging writes a record of each operation; see [logging.New].
func WithLogging(logger *slog.Logger, opts ...logging.Option) Option {
	return optionFunc(func(c *config) { c.logger, c.logging = logger, opts })
}

// WithSlowQueries writes a record of each statement that takes longer than
// threshold; see [slowquery.New].
func WithSlowQueries(logger *slog.Logger, threshold time.Duration, opts ...slowquery.Option) Option {
	return optionFunc(func(c *config) { c.slowLogger, c.slowThreshold, c.slow = logger, threshold, opts })
}

// WithRecovery turns panics below the chain into errors; see [recovery.New].
func WithRecovery(opts ...recovery.Option) Option {
	return optionFunc(func(c *config) { c.recovery = &opts })
}

// WithInterceptors adds interceptors of your own, outside the retry: each sees a
// call once, whatever the number of attempts.
func WithInterceptors(own ...sessionproxy.Interceptor) Option {
	return optionFunc(func(c *config) { c.own = append(c.own, own...) })
}

// WithTimeout bounds each operation, with all its attempts and the pauses
// between them; see [timeout.New].
func WithTimeout(d time.Duration, opts ...timeout.Option) Option {
	return optionFunc(func(c *config) { c.timeout = &timeLimit{d, opts} })
}

// WithAttemptTimeout bounds each attempt; see [timeout.New]. Set it, so that
// the breaker notices a server that hangs.
func WithAttemptTimeout(d time.Duration, opts ...timeout.Option) Option {
	return optionFunc(func(c *config) { c.attempt = &timeLimit{d, opts} })
}

// WithLimit runs at most n operations at once and makes others wait; see
// [limit.New]. Choose n a little below the size of the pool.
func WithLimit(n int, opts ...limit.Option) Option {
	return optionFunc(func(c *config) { c.limit, c.adaptive = &limits{n, opts}, nil })
}

// WithAdaptiveLimit bounds how many operations run at once by observing the
// database, in place of [WithLimit]; see [adaptivelimit.New]. Set
// [adaptivelimit.WithMax] to the size of the pool. With it, or with WithLimit, a
// database that has more callers than it can serve goes on at what it can do;
// without, most of its work is for callers that have left.
func WithAdaptiveLimit(opts ...adaptivelimit.Option) Option {
	return optionFunc(func(c *config) { c.limit, c.adaptive = nil, &opts })
}

// WithRetry sets options of the retry, which is on by default; see [retry.New].
// A budget given by [retry.WithBudget] replaces [Preset.Budget], which the page
// shows.
func WithRetry(opts ...retry.Option) Option {
	return optionFunc(func(c *config) { c.retry = &opts })
}

// WithoutRetry leaves the retry out.
func WithoutRetry() Option { return optionFunc(func(c *config) { c.retry = nil }) }

// WithHedge makes a second attempt at reads marked as read-only that take
// longer than usual; see [hedge.New].
func WithHedge(opts ...hedge.Option) Option {
	return optionFunc(func(c *config) { c.hedge = &opts })
}

// WithThrottle sets options of the throttle, which is on by default: it refuses
// some of the calls while the database refuses some for lack of resources; see
// [throttle.New]. The factor is 1.5 unless an option sets another, so that calls
// are throttled before the breaker opens.
func WithThrottle(opts ...throttle.Option) Option {
	return optionFunc(func(c *config) { c.throttle = &opts })
}

// WithoutThrottle leaves the throttle out.
func WithoutThrottle() Option { return optionFunc(func(c *config) { c.throttle = nil }) }

// WithBreaker sets options of the circuit breaker, which is on by default; see
// [breaker.New].
func WithBreaker(opts ...breaker.Option) Option {
	return optionFunc(func(c *config) { c.breaker = &opts })
}

// WithoutBreaker leaves the circuit breaker out.
func WithoutBreaker() Option { return optionFunc(func(c *config) { c.breaker = nil }) }
