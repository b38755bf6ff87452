package middleware_test

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
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/logging"
	"github.com/sessionproxy/sessionproxy/middleware/nplusone"
	"github.com/sessionproxy/sessionproxy/middleware/profile"
	"github.com/sessionproxy/sessionproxy/middleware/readonly"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
	"github.com/sessionproxy/sessionproxy/middleware/sqlcomment"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

// play is an operation that performs one act after the other, and counts the
// finish hooks that run for each.
type play struct {
	acts      []linktest.Act
	performed int
	hooks     []int
	discarded int
	inside    context.Context
}

func (p *play) Do(ctx context.Context, call *sp.Call) error {
	n := p.performed
	p.performed++
	p.inside = ctx
	p.hooks = append(p.hooks, 0)
	call.OnFinish(func(error) { p.hooks[n]++ })
	err := p.act(ctx, call, p.acts[n])
	if err != nil {
		call.Judge(ctx, err, call.Op.Phase(), fault.ProgressUnknown)
	}
	return err
}

func (p *play) act(ctx context.Context, call *sp.Call, a linktest.Act) error {
	switch a {
	case linktest.LeavesOpen:
		attach.KeepOpen(call)
	case linktest.Fails:
		return linktest.ErrDriver
	case linktest.Answers:
		return linktest.ErrUnique
	case linktest.Breaks:
		panic("driver")
	case linktest.Waits:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (p *play) Discard() { p.discarded++ }

// troupe is a chain in some order.
type troupe struct {
	order    []string
	attempts int
}

// within reports whether a link is there, inside the retry.
func (c troupe) within(name string) bool {
	return slices.Index(c.order, name) > slices.Index(c.order, "retry")
}

func (c troupe) has(name string) bool { return slices.Contains(c.order, name) }

// ending is how a call is to end.
type ending struct {
	performed int
	is        error // what its error matches; nil: it succeeds
	open      bool
	panicked  bool // the panic reaches the caller
	recovered bool // its error is a PanicError
	discarded int
}

// foretell says how the acts end under the chain. It is the contract of the
// interceptors, written down once more. Limits that are not reached,
// and guards that let it pass, change nothing.
func (c troupe) foretell(acts []linktest.Act) (e ending) {
	expired := false // the limit of all attempts together
	for _, a := range acts[:c.attempts] {
		e = ending{performed: e.performed + 1}
		switch a {
		case linktest.Succeeds:
			return e
		case linktest.LeavesOpen:
			if e.open = !expired; expired {
				e.is, e.discarded = fault.ErrAttemptTimeout, 1
			}
			return e
		case linktest.Fails:
			e.is = linktest.ErrDriver
		case linktest.Answers:
			e.is = linktest.ErrUnique
		case linktest.Breaks:
			e.recovered = c.has("recover")
			if e.panicked = !e.recovered; e.panicked || !c.within("recover") {
				return e
			}
		case linktest.Waits:
			e.is = fault.ErrAttemptTimeout
			expired = !c.within("timeout")
		}
	}
	return e
}

// draw makes up a chain in any order, and what happens under it.
func draw(t *rapid.T) (troupe, []linktest.Act) {
	links := []string{"retry"}
	for _, name := range []string{"timeout", "logging", "recover", "limit", "rate", "guard", "hedge", "comment", "slow"} {
		if rapid.Bool().Draw(t, name) {
			links = append(links, name)
		}
	}
	c := troupe{rapid.Permutation(links).Draw(t, "order"), rapid.IntRange(1, 3).Draw(t, "attempts")}
	acts := []linktest.Act{linktest.Succeeds, linktest.LeavesOpen, linktest.Fails, linktest.Answers, linktest.Breaks}
	if c.has("timeout") {
		acts = append(acts, linktest.Waits)
	}
	return c, rapid.SliceOfN(rapid.SampledFrom(acts), c.attempts, c.attempts).Draw(t, "acts")
}

func TestEveryOrderKeepsResultsErrorsAndHooks(t *testing.T) {
	t.Parallel()
	limited, recoverer := linktest.Must(t)(timeout.New(time.Second)), linktest.Must(t)(recovery.New())
	guard, hedger := linktest.Must(t)(readonly.New()), hedgeAfterASecond(t)
	slow := slowness(t)
	rapid.Check(t, func(rt *rapid.T) {
		c, acts := draw(rt)
		logged, log := logs(t, slog.LevelDebug, logging.WithoutSampling())
		limiter := limiting(t, 1, limit.WithQueue(0)) // a permit that is lost has the next attempt refused
		links := map[string]sp.Interceptor{
			"retry": linktest.Retrying(c.attempts), "timeout": limited, "recover": recoverer, "logging": logged,
			"limit": limiter, "guard": guard, "hedge": hedger, "comment": linktest.Must(t)(sqlcomment.New(sqlcomment.WithTag("a", "b"))), "slow": slow,
		}
		var problem error
		synctest.Test(t, func(t *testing.T) {
			links["rate"] = rating(t, 1e9, 100) // it goes by the bubble's clock
			var chain sp.Chain
			for _, name := range c.order {
				chain = chain.Append(links[name])
			}
			problem = perform(c, acts, chain)
		})
		if problem != nil {
			rt.Fatal(problem)
		}
		if s := limiter.Stats(); s.InUse != 0 || s.Rejected != 0 {
			rt.Fatalf("permits %+v", s)
		}
		if got, want := calls(log), c.records(acts); got != want {
			rt.Fatalf("%d calls were logged, want %d", got, want)
		}
	})
}

// calls returns how many calls were logged.
func calls(log *linktest.Recorder) (n int) {
	for _, l := range log.Take() {
		if l.Attrs["event.name"] == nil {
			n++
		}
	}
	return n
}

// records returns how many records of calls there should be.
func (c troupe) records(acts []linktest.Act) int {
	switch {
	case !c.has("logging"):
		return 0
	case c.within("logging"):
		return c.foretell(acts).performed
	}
	return 1
}

// perform runs the acts under the chain and compares with what was foretold.
func perform(c troupe, acts []linktest.Act, chain sp.Chain) error {
	want := c.foretell(acts)
	p, finished := &play{acts: acts}, 0
	call := linktest.Statement(context.Background(), sp.OpQuery, "SELECT 1", p)
	call.OnFinish(func(error) { finished++ })
	open, err, panicked := linktest.RunCaught(call, chain.Then(attach.Perform))

	_, recovered := errors.AsType[*recovery.PanicError](err)
	switch {
	case panicked != want.panicked, recovered != want.recovered, open != want.open, p.performed != want.performed:
		return fmt.Errorf("performed %d, open %v, error %v, panicked %v; want %+v", p.performed, open, err, panicked, want)
	case want.is != nil && !errors.Is(err, want.is):
		return fmt.Errorf("error %v, want %v", err, want.is)
	case want.is == nil && !recovered && err != nil:
		return fmt.Errorf("error %v, want none", err)
	}
	if open {
		if finished != 0 || p.hooks[p.performed-1] != 0 || p.inside.Err() != nil {
			return fmt.Errorf("the call ended before its result: context %v", p.inside.Err())
		}
		attach.Finish(call, nil)
	}
	if c.has("timeout") && p.inside.Err() == nil {
		return errors.New("the context outlives the call")
	}
	if finished != 1 || slices.ContainsFunc(p.hooks, func(n int) bool { return n != 1 }) || p.discarded != want.discarded {
		return fmt.Errorf("finished %d times, attempts %v times, discarded %d times", finished, p.hooks, p.discarded)
	}
	return nil
}

// TestHedgingInEveryOrder puts a hedge anywhere among the others: whatever the
// attempts do, each of their hooks runs once, and nothing is left behind.
func TestHedgingInEveryOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		heats := [2]linktest.Heat{linktest.DrawHeat(rt), linktest.DrawHeat(rt)}
		order := rapid.Permutation([]string{"hedge", "retry", "timeout", "logging", "recover", "limit", "rate", "guard", "profile", "loops"}).Draw(rt, "order")
		limit := rapid.IntRange(1, 2).Draw(rt, "limit")
		var problem error
		synctest.Test(t, func(t *testing.T) {
			logged, _ := logs(t, slog.LevelDebug)
			limiter := limiting(t, limit)
			rate := rating(t, 1e9, 100)
			links := map[string]sp.Interceptor{
				"hedge": hedgeAfterASecond(t), "retry": linktest.Retrying(2), "timeout": linktest.Must(t)(timeout.New(2 * time.Second)), "logging": logged,
				"recover": linktest.Must(t)(recovery.New()), "limit": limiter, "rate": rate, "guard": linktest.Must(t)(readonly.New()),
				"profile": linktest.Must(t)(profile.New()), "loops": linktest.Must(t)(nplusone.New(slog.New(slog.DiscardHandler))),
			}
			var chain sp.Chain
			for _, name := range order {
				chain = chain.Append(links[name])
			}
			op := linktest.NewTwin(func(ctx context.Context, call *sp.Call, n int) error { return heats[(n+1)%2].Run(ctx, call) })
			call, finished := linktest.ReadOnly(t.Context(), op), 0
			call.OnFinish(func(error) { finished++ })
			open, _, _ := linktest.RunCaught(call, chain.Then(attach.Perform))
			if open {
				if n := op.Forks.Adopted; op.Forks.Inside[n].Err() != nil {
					problem = errors.New("the context of the result is over")
				}
				attach.Finish(call, nil)
			}
			ran := 0
			for _, hooks := range op.Forks.Hooked {
				ran += len(hooks)
			}
			if ran != len(op.Forks.Performed) {
				problem = fmt.Errorf("performed %v, hooks ran with %v", op.Forks.Performed, op.Forks.Hooked)
			}
			if s := limiter.Stats(); finished != 1 || s.InUse != 0 || s.Waiting != 0 {
				problem = fmt.Errorf("finished %d times, permits %+v", finished, s)
			}
		})
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}
