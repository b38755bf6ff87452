package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// An act is what one performance of an operation does.
type act string

const (
	succeeds   act = "succeeds"
	leavesOpen act = "leaves its result open"
	fails      act = "fails"
	answers    act = "answers with an error"
	breaks     act = "panics"
	waits      act = "waits for the end of its context"
)

// play is an operation that performs one act after the other, and counts the
// finish hooks that run for each.
type play struct {
	acts      []act
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

func (p *play) act(ctx context.Context, call *sp.Call, a act) error {
	switch a {
	case leavesOpen:
		call.KeepOpen()
	case fails:
		return errDriver
	case answers:
		return unique
	case breaks:
		panic("driver")
	case waits:
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
func (c troupe) foretell(acts []act) (e ending) {
	expired := false // the limit of all attempts together
	for _, a := range acts[:c.attempts] {
		e = ending{performed: e.performed + 1}
		switch a {
		case succeeds:
			return e
		case leavesOpen:
			if e.open = !expired; expired {
				e.is, e.discarded = fault.ErrAttemptTimeout, 1
			}
			return e
		case fails:
			e.is = errDriver
		case answers:
			e.is = unique
		case breaks:
			e.recovered = c.has("recover")
			if e.panicked = !e.recovered; e.panicked || !c.within("recover") {
				return e
			}
		case waits:
			e.is = fault.ErrAttemptTimeout
			expired = !c.within("timeout")
		}
	}
	return e
}

// draw makes up a chain in any order, and what happens under it.
func draw(t *rapid.T) (troupe, []act) {
	links := []string{"retry"}
	for _, name := range []string{"timeout", "logging", "recover", "limit", "rate", "guard", "hedge", "comment", "slow"} {
		if rapid.Bool().Draw(t, name) {
			links = append(links, name)
		}
	}
	c := troupe{rapid.Permutation(links).Draw(t, "order"), rapid.IntRange(1, 3).Draw(t, "attempts")}
	acts := []act{succeeds, leavesOpen, fails, answers, breaks}
	if c.has("timeout") {
		acts = append(acts, waits)
	}
	return c, rapid.SliceOfN(rapid.SampledFrom(acts), c.attempts, c.attempts).Draw(t, "acts")
}

func TestEveryOrderKeepsResultsErrorsAndHooks(t *testing.T) {
	t.Parallel()
	timeout, recoverer := must(t)(middleware.Timeout(second)), must(t)(middleware.Recover())
	guard, hedge := must(t)(middleware.ReadOnly()), hedging(t)
	slow, _ := slowTo(t)
	rapid.Check(t, func(rt *rapid.T) {
		c, acts := draw(rt)
		logging, log := logTo(t, slog.LevelDebug, middleware.WithoutSampling())
		limiter, _ := newLimit(t, 1, middleware.WithQueue(0)) // a permit that is lost has the next attempt refused
		links := map[string]sp.Interceptor{
			"retry": retrying(c.attempts), "timeout": timeout, "recover": recoverer, "logging": logging,
			"limit": limiter, "guard": guard, "hedge": hedge, "comment": must(t)(middleware.Comment(middleware.WithTag("a", "b"))), "slow": slow,
		}
		var problem error
		synctest.Test(t, func(t *testing.T) {
			links["rate"], _ = newRate(t, 1e9, 100) // it goes by the bubble's clock
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
func calls(log *recorder) (n int) {
	for _, l := range log.take() {
		if l.attrs["event.name"] == nil {
			n++
		}
	}
	return n
}

// records returns how many records of calls there should be.
func (c troupe) records(acts []act) int {
	switch {
	case !c.has("logging"):
		return 0
	case c.within("logging"):
		return c.foretell(acts).performed
	}
	return 1
}

// perform runs the acts under the chain and compares with what was foretold.
func perform(c troupe, acts []act, chain sp.Chain) error {
	want := c.foretell(acts)
	p, finished := &play{acts: acts}, 0
	call := statement(context.Background(), sp.OpQuery, "SELECT 1", p)
	call.OnFinish(func(error) { finished++ })
	open, err, panicked := runCaught(call, chain.Then(sp.Perform))

	_, recovered := errors.AsType[*middleware.PanicError](err)
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
		call.Finish(nil)
	}
	if c.has("timeout") && p.inside.Err() == nil {
		return errors.New("the context outlives the call")
	}
	if finished != 1 || slices.ContainsFunc(p.hooks, func(n int) bool { return n != 1 }) || p.discarded != want.discarded {
		return fmt.Errorf("finished %d times, attempts %v times, discarded %d times", finished, p.hooks, p.discarded)
	}
	return nil
}

func runCaught(call *sp.Call, h sp.Handler) (open bool, err error, panicked bool) { //nolint:revive // in the order of Run
	defer func() {
		if recover() != nil {
			panicked = true
		}
	}()
	open, err = call.Run(context.Background(), h)
	return open, err, false
}

// TestHedgingInEveryOrder puts a hedge anywhere among the others: whatever the
// attempts do, each of their hooks runs once, and nothing is left behind.
func TestHedgingInEveryOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		heats := [2]heat{drawHeat(rt), drawHeat(rt)}
		order := rapid.Permutation([]string{"hedge", "retry", "timeout", "logging", "recover", "limit", "rate", "guard"}).Draw(rt, "order")
		limit := rapid.IntRange(1, 2).Draw(rt, "limit")
		var problem error
		synctest.Test(t, func(t *testing.T) {
			logging, _ := logTo(t, slog.LevelDebug)
			limiter, _ := newLimit(t, limit)
			rate, _ := newRate(t, 1e9, 100)
			links := map[string]sp.Interceptor{
				"hedge": hedging(t), "retry": retrying(2), "timeout": must(t)(middleware.Timeout(2 * second)), "logging": logging,
				"recover": must(t)(middleware.Recover()), "limit": limiter, "rate": rate, "guard": must(t)(middleware.ReadOnly()),
			}
			var chain sp.Chain
			for _, name := range order {
				chain = chain.Append(links[name])
			}
			op := newTwin(func(ctx context.Context, call *sp.Call, n int) error { return heats[(n+1)%2].run(ctx, call) })
			call, finished := reading(t.Context(), op), 0
			call.OnFinish(func(error) { finished++ })
			open, _, _ := runCaught(call, chain.Then(sp.Perform))
			if open {
				if n := op.forks.adopted; op.forks.inside[n].Err() != nil {
					problem = errors.New("the context of the result is over")
				}
				call.Finish(nil)
			}
			ran := 0
			for _, hooks := range op.forks.hooked {
				ran += len(hooks)
			}
			if ran != len(op.forks.performed) {
				problem = fmt.Errorf("performed %v, hooks ran with %v", op.forks.performed, op.forks.hooked)
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
