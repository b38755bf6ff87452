package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
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
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
	"github.com/sessionproxy/sessionproxy/tracing"
)

// kit is every interceptor there is, and what can tell whether one of them
// kept something it should have given back.
type kit struct {
	links   map[string]sp.Interceptor
	limiter *limit.Limiter
	follows *adaptivelimit.Limiter
	breaker *breaker.Breaker
	spans   balance
	calls   balance // the finish hooks of the link that is outermost
	inner   balance // and of the innermost
	trouble trouble
}

// balance counts what began and what ended.
type balance struct{ begun, ended, twice atomic.Int64 }

func (b *balance) check(what string) error {
	if begun, ended, twice := b.begun.Load(), b.ended.Load(), b.twice.Load(); begun != ended || twice != 0 || begun == 0 {
		return fmt.Errorf("%d %s began, %d ended, %d of them twice", begun, what, ended, twice)
	}
	return nil
}

// Wrap has the balance count the finish of calls.
func (b *balance) Wrap(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		b.begun.Add(1)
		over := new(atomic.Bool)
		call.OnFinish(func(error) {
			b.ended.Add(1)
			if over.Swap(true) {
				b.twice.Add(1)
			}
		})
		return next(ctx, call)
	}
}

// OnStart and the rest of a span processor have it count spans.
func (b *balance) OnStart(context.Context, sdktrace.ReadWriteSpan) { b.begun.Add(1) }
func (b *balance) OnEnd(sdktrace.ReadOnlySpan)                     { b.ended.Add(1) }
func (b *balance) Shutdown(context.Context) error                  { return nil }
func (b *balance) ForceFlush(context.Context) error                { return nil }

// What the innermost link can do to a call.
const (
	passes        = "passes"
	failsBefore   = "fails before it is sent"
	failsAfter    = "fails after it was performed"
	panicsBefore  = "panics before"
	panicsAfter   = "panics after"
	exits         = "ends the goroutine"
	hangs         = "hangs until its context ends"
	cancelsCaller = "has the caller give up"
)

var mischief = []string{passes, passes, passes, failsBefore, failsAfter, panicsBefore, panicsAfter, exits, hangs, cancelsCaller}

// trouble is a link that does the next of its acts to every operation that may
// fail; an operation that gives something back is left in peace. Queries and
// BEGIN never panic: database/sql itself loses the connection then.
type trouble struct {
	acts []string
	next atomic.Int64
	off  atomic.Bool
	lost atomic.Bool // a query or BEGIN panicked: database/sql itself loses the connection then
}

// act returns what to do to the next operation.
func (c *trouble) act(op sp.Op) string {
	switch op {
	case sp.OpExec, sp.OpQuery, sp.OpBegin, sp.OpBatch, sp.OpCopy, sp.OpConnect:
	default:
		return passes
	}
	if c.off.Load() {
		return passes
	}
	act := c.acts[int(c.next.Add(1))%len(c.acts)]
	if op == sp.OpConnect && act == hangs {
		return failsBefore // pgx's pool gives the opening of a connection minutes
	}
	if op != sp.OpExec && (act == panicsBefore || act == panicsAfter || act == exits) {
		c.lost.Store(true)
	}
	return act
}

type cancelKey struct{}

func (c *trouble) Wrap(next sp.Handler) sp.Handler {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	return func(ctx context.Context, call *sp.Call) error {
		act := c.act(call.Op)
		switch act {
		case failsBefore:
			return reset
		case panicsBefore:
			panic(act)
		case exits:
			runtime.Goexit()
		case hangs:
			<-ctx.Done()
			return ctx.Err()
		case cancelsCaller:
			ctx.Value(cancelKey{}).(context.CancelFunc)()
		}
		err := next(ctx, call)
		switch act {
		case failsAfter:
			return errors.Join(err, reset)
		case panicsAfter:
			panic(act)
		}
		return err
	}
}

// kitNames are the links of a kit.
var kitNames = []string{
	"adaptive", "breaker", "comment", "hedge", "limit", "logging", "page", "rate", "read only", "recover", "retry", "slow", "throttle", "timeout", "tracing",
}

const openTime = time.Millisecond

func newKit(t testing.TB, perCall time.Duration, acts []string) *kit {
	k := &kit{trouble: trouble{acts: acts}}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(&k.spans))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	quiet := slog.New(slog.DiscardHandler)
	k.limiter, k.follows = must(limit.New(4)), must(adaptivelimit.New(adaptivelimit.WithMin(4)))
	k.breaker = must(breaker.New(breaker.WithConsecutiveFailures(3), breaker.WithOpenTime(openTime)))
	k.links = map[string]sp.Interceptor{
		"adaptive": k.follows,
		"breaker":  k.breaker,
		"limit":    k.limiter,
		"comment":  must(sqlcomment.New(sqlcomment.WithTag("service", "shop"), sqlcomment.WithTraceContext())),
		"hedge":    must(hedge.New(hedge.WithDelay(100*time.Microsecond), hedge.WithBudget(1))),
		"logging":  must(logging.New(quiet)),
		"loops":    must(nplusone.New(quiet, nplusone.WithThreshold(2))),
		"page":     must(statusz.New()),
		"profile":  must(profile.New()),
		"rate":     must(ratelimit.New(1e6, 1000)),
		"read only": must(readonly.New(readonly.WithIf(func(context.Context) bool {
			return false
		}))),
		"recover":  must(recovery.New()),
		"retry":    must(retry.New(retry.WithAttempts(2), retry.WithJitter(func(time.Duration) time.Duration { return 0 }), retry.WithoutBudget())),
		"slow":     must(slowquery.New(quiet, time.Nanosecond)),
		"throttle": must(throttle.New()),
		"timeout":  unless(&k.trouble.off, must(timeout.New(perCall))),
		"tracing":  must(tracing.New(tracing.WithTracerProvider(provider))),
	}
	return k
}

// unless takes an interceptor out of the way when off is set: how fast a service
// works when nothing is wrong depends on the machine.
func unless(off *atomic.Bool, i sp.Interceptor) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		wrapped := i.Wrap(next)
		return func(ctx context.Context, call *sp.Call) error {
			if off.Load() {
				return next(ctx, call)
			}
			return wrapped(ctx, call)
		}
	})
}

// chain puts links in the given order, between the counters, with the trouble
// below them all.
func (k *kit) chain(order []string) sp.Chain {
	chain := sp.NewChain(&k.calls)
	for _, name := range order {
		chain = chain.Append(k.links[name])
	}
	return chain.Append(&k.inner, &k.trouble)
}
