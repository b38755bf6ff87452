package statusz_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/ratelimit"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
)

// kit returns the other interceptors, in an order that is always the same.
func kit(t *testing.T) []sp.Interceptor {
	t.Helper()
	links := []sp.Interceptor{
		must[*limit.Limiter](t)(limit.New(2)),
		must[*ratelimit.Limiter](t)(ratelimit.New(1e6, 1000)),
		must[*retry.Retry](t)(retry.New()),
		must[*breaker.Breaker](t)(breaker.New()),
	}
	for _, made := range []func() (sp.Interceptor, error){
		func() (sp.Interceptor, error) { return timeout.New(time.Minute) },
		func() (sp.Interceptor, error) { return recovery.New() },
		func() (sp.Interceptor, error) { return hedge.New() },
		func() (sp.Interceptor, error) { return sqlcomment.New(sqlcomment.WithTag("service", "shop")) },
		func() (sp.Interceptor, error) {
			return logging.New(slog.New(slog.DiscardHandler))
		},
	} {
		links = append(links, must[sp.Interceptor](t)(made()))
	}
	return links
}

// play is an operation that gives one answer after the other, and can be forked.
type play struct {
	script
	answers []error
	turn    *int
}

var errPanic = errors.New("panic")

func newPlay(answers []error) *play {
	p := &play{answers: answers, turn: new(int)}
	p.script = func(_ context.Context, call *sp.Call) error {
		err := p.answers[*p.turn%len(p.answers)]
		*p.turn++
		if errors.Is(err, errPanic) {
			panic("x")
		}
		if err == nil && call.Op == sp.OpQuery {
			attach.KeepOpen(call)
		}
		return err
	}
	return p
}

func (p *play) Fork() attach.Performer { return p }
func (*play) Adopt(_ attach.Performer) {}
func (*play) Discard()                 {}

// perform runs a call to the end of its result, and says what the caller got.
func perform(ctx context.Context, h sp.Handler, op sp.Op, answers []error) (outcome string) {
	defer func() {
		if v := recover(); v != nil {
			outcome = fmt.Sprint("panic: ", v)
		}
	}()
	c := new(sp.Call)
	attach.Reset(c, newPlay(answers))
	c.Op, c.Scope, c.Text, c.Target = op, sp.ScopePool, "SELECT 1 FROM users", orders
	attach.Bind(ctx, c)
	open, err := attach.Run(ctx, c, h)
	if open {
		attach.Finish(c, nil)
	}
	return fmt.Sprint("open: ", open, ", error: ", err)
}

// TestPageChangesNothing holds that a page, wherever it stands among the other
// interceptors and whatever the database answers, leaves results as they are
// and has no call in flight when the caller is through.
func TestPageChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}).Draw(r, "order")
		outer := rapid.IntRange(0, len(order)).Draw(r, "place of the page")
		inner := rapid.IntRange(outer, len(order)).Draw(r, "place of the mark")
		op := rapid.SampledFrom([]sp.Op{sp.OpQuery, sp.OpExec, sp.OpTransaction, sp.OpBegin}).Draw(r, "operation")
		answers := rapid.SliceOfN(rapid.SampledFrom([]error{nil, unique, serialization, errPanic, pgError("08006")}), 1, 5).Draw(r, "answers")
		var got, want string
		var left shown
		synctest.Test(t, func(t *testing.T) {
			ctx := sp.WithReadOnly(t.Context()) // so that it may be repeated and hedged
			p := newPage(t, statusz.WithSlowThreshold(time.Nanosecond))
			plain, links := kit(t), kit(t)
			var with, without []sp.Interceptor
			for _, i := range order {
				with, without = append(with, links[i]), append(without, plain[i])
			}
			with = slices.Insert(with, inner, p.Innermost())
			with = slices.Insert(with, outer, sp.Interceptor(p))
			want = perform(ctx, sp.NewChain(without...).Then(attach.Perform), op, answers)
			got = perform(ctx, sp.NewChain(with...).Then(attach.Perform), op, answers)
			left = look(t, p)
		})
		if got != want || left.InFlight != 0 {
			r.Errorf("%s, want %s; %d in flight", got, want, left.InFlight)
		}
	})
}
