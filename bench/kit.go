package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"log/slog"
	"time"

	"github.com/ngrok/sqlmw"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/driver/sqldb"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/nplusone"
	"github.com/sessionproxy/sessionproxy/middleware/profile"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/slowquery"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// KitSubjects returns every interceptor alone, and all of them together.
func KitSubjects() []Subject {
	out := []Subject{
		{Name: "raw database/sql", Open: func(c driver.Connector) (*sql.DB, error) { return sql.OpenDB(c), nil }},
		{Name: "sqlmw, null interceptor", Open: openSqlmw(sqlmw.NullInterceptor{})},
		{Name: "empty chain", Open: chainOf()},
	}
	for _, l := range lone() {
		out = append(out, Subject{Name: l.name, Open: chainOf(l.link), Context: l.context})
	}
	for _, state := range States {
		out = append(
			out,
			Subject{Name: "tracing", State: state, Open: chainOf(must(tracing.New(tracing.WithTracerProvider(state.Provider()))))},
			Subject{Name: "the whole kit", State: state, Open: chainOf(wholeKit(state, nil)...), Context: request},
			Subject{Name: "the whole kit + metrics", State: state, Open: chainOf(wholeKit(state, meters())...), Context: request},
		)
	}
	return out
}

// counted is a context whose statements are counted.
var counted = nplusone.Scope(context.Background())

type loneLink struct {
	name    string
	link    sp.Interceptor
	context func() (context.Context, context.CancelFunc)
}

func lone() []loneLink {
	json := func(level slog.Level) *slog.Logger {
		return slog.New(slog.NewJSONHandler(nowhere{}, &slog.HandlerOptions{Level: level}))
	}
	quiet := json(slog.LevelError)
	return []loneLink{
		{name: "retry", link: must(retry.New())},
		{name: "breaker", link: must(breaker.New())},
		{name: "breaker, slow calls counted", link: must(breaker.New(breaker.WithSlowCalls(time.Second, 0.5)))},
		{name: "timeout, the caller's deadline is sooner", link: must(timeout.New(time.Hour)), context: request},
		{name: "timeout, timer made", link: must(timeout.New(time.Second))},
		{name: "limit", link: must(limit.New(20))},
		{name: "rate limit", link: must(ratelimit.New(1e9, 1000))},
		{name: "throttle", link: must(throttle.New())},
		{name: "hedge", link: must(hedge.New(hedge.WithDelay(10 * time.Second)))},
		{name: "read only, not active", link: must(readonly.New(readonly.WithIf(func(context.Context) bool { return false })))},
		{name: "comment, fixed tags", link: must(sqlcomment.New(sqlcomment.WithTag("service", "shop")))},
		{name: "slow query, fast enough", link: must(slowquery.New(quiet, time.Hour))},
		{name: "recover", link: must(recovery.New())},
		{name: "profile", link: must(profile.New())},
		{name: "n + 1, in a scope", link: must(nplusone.New(quiet, nplusone.WithThreshold(1<<30))), context: func() (context.Context, context.CancelFunc) {
			return counted, func() {}
		}},
		{name: "logging, level off", link: must(logging.New(quiet))},
		{name: "logging, every call as JSON", link: must(logging.New(json(slog.LevelDebug), logging.WithoutSampling()))},
		{name: "tracing, metrics only", link: must(tracing.New(tracing.WithTracerProvider(Noop.Provider()), tracing.WithMeterProvider(meters())))},
	}
}

// wholeKit is every interceptor, in the order that the README recommends, as
// a service has them that logs failures and slow queries.
func wholeKit(state State, mp metric.MeterProvider) []sp.Interceptor {
	quiet := slog.New(slog.NewJSONHandler(nowhere{}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	chain := fullChain(state.Provider(), mp, time.Hour)
	return []sp.Interceptor{
		chain[0],
		must(logging.New(quiet)),
		must(slowquery.New(quiet, time.Hour)),
		must(recovery.New()),
		chain[1],
		must(readonly.New(readonly.WithIf(func(context.Context) bool { return false }))),
		must(ratelimit.New(1e9, 1000)),
		must(limit.New(20)),
		chain[2],
		must(hedge.New(hedge.WithDelay(10 * time.Second))),
		chain[3],
		must(sqlcomment.New(sqlcomment.WithTag("service", "shop"))),
	}
}

func meters() metric.MeterProvider {
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
}

// nowhere is where records go that are only to be made.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// KitWorkloads are the operations measured on the fake driver: a write, and a
// read that is declared to be one, which is what can be hedged, on the handle.
var KitWorkloads = []Workload{
	Workloads[0],
	{"declared read, on the handle", func(db *sql.DB) (func(context.Context) error, error) {
		var on querier = db
		if h, err := sqldb.Wrap(db); err == nil {
			on = h
		}
		return func(ctx context.Context) error {
			return query(sp.WithReadOnly(ctx), on, "SELECT n FROM t WHERE id = $1", int64(1))
		}, nil
	}},
}
