package statusz_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
)

// only returns the one call in flight.
func only(t *testing.T, p *statusz.Page) shownCall {
	t.Helper()
	s := look(t, p)
	if s.InFlight != 1 || len(s.Calls) != 1 {
		t.Fatalf("in flight: %d, %+v", s.InFlight, s.Calls)
	}
	return s.Calls[0]
}

// event returns an interceptor that reports e and then waits.
func event(e sp.Event, wait time.Duration) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.Event(e)
			time.Sleep(wait)
			return next(ctx, call)
		}
	})
}

// after runs a call on a goroutine and looks at it after a while.
func after(t *testing.T, p *statusz.Page, wait time.Duration, c *sp.Call, links ...sp.Interceptor) shownCall {
	t.Helper()
	through := make(chan struct{})
	go func() {
		defer close(through)
		_, _ = attach.Run(context.Background(), c, sp.NewChain(links...).Then(attach.Perform))
	}()
	t.Cleanup(func() { <-through })
	time.Sleep(wait)
	return only(t, p)
}

// busy is an operation that takes a minute.
func busy(context.Context, *sp.Call) error {
	time.Sleep(time.Minute)
	return nil
}

func TestStagesOfACall(t *testing.T) {
	t.Parallel()
	const text = "SELECT name FROM users WHERE id = 7"
	retry := event(sp.Event{Kind: sp.EventRetry, Attempt: 1, Delay: 10 * time.Second, Err: serialization}, 10*time.Second)
	for _, c := range []struct {
		name  string
		op    sp.Op
		scope sp.Scope
		links func(p *statusz.Page) []sp.Interceptor
		wait  time.Duration
		stage string
		since float64 // seconds in the stage
	}{
		{"nobody marks the end", sp.OpQuery, sp.ScopeConn, nil, 3 * time.Second, "running", 3},
		{
			"before the innermost", sp.OpQuery, sp.ScopeConn,
			func(p *statusz.Page) []sp.Interceptor {
				return []sp.Interceptor{event(sp.Event{Kind: "other"}, time.Minute), p.Innermost()}
			},
			3 * time.Second, "pipeline", 3,
		},
		{
			"beyond the innermost", sp.OpQuery, sp.ScopeConn,
			func(p *statusz.Page) []sp.Interceptor {
				return []sp.Interceptor{event(sp.Event{Kind: "other"}, 2*time.Second), p.Innermost()}
			},
			3 * time.Second, "executing", 1,
		},
		{
			"beyond the innermost, of a pool", sp.OpQuery, sp.ScopePool,
			func(p *statusz.Page) []sp.Interceptor { return []sp.Interceptor{p.Innermost()} },
			3 * time.Second, "driver", 3,
		},
		{
			"a unit of work", sp.OpTransaction, sp.ScopePool,
			func(p *statusz.Page) []sp.Interceptor { return []sp.Interceptor{p.Innermost()} },
			3 * time.Second, "unit", 3,
		},
		{
			"a pause", sp.OpQuery, sp.ScopeConn,
			func(*statusz.Page) []sp.Interceptor { return []sp.Interceptor{retry} },
			4 * time.Second, "backoff", 4,
		},
		{
			"after a pause", sp.OpQuery, sp.ScopeConn,
			func(*statusz.Page) []sp.Interceptor { return []sp.Interceptor{retry} },
			13 * time.Second, "running", 3,
		},
		{
			"after a pause, in a queue", sp.OpQuery, sp.ScopeConn,
			func(p *statusz.Page) []sp.Interceptor {
				return []sp.Interceptor{retry, event(sp.Event{Kind: "other"}, time.Minute), p.Innermost()}
			},
			13 * time.Second, "pipeline", 3,
		},
		{
			"after a pause, with a mark", sp.OpQuery, sp.ScopeConn,
			func(p *statusz.Page) []sp.Interceptor { return []sp.Interceptor{retry, p.Innermost()} },
			13 * time.Second, "executing", 3,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPage(t)
				links := []sp.Interceptor{p}
				if c.links != nil {
					links = append(links, c.links(p)...)
				}
				call := newCall(busy, c.op, text)
				call.Scope = c.scope
				f := after(t, p, c.wait, call, links...)
				if f.Stage != c.stage || f.InStage != c.since || f.Age != c.wait.Seconds() {
					t.Errorf("%+v, want stage %s for %v s", f, c.stage, c.since)
				}
			})
		})
	}
}

func TestOpenResultsAreInFlightUntilTheirEnd(t *testing.T) {
	t.Parallel()
	for op, stage := range map[sp.Op]string{sp.OpQuery: "rows", sp.OpBegin: "transaction", sp.OpAcquire: "held"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPage(t, statusz.WithSlowThreshold(2*time.Second))
				c := newCall(func(ctx context.Context, call *sp.Call) error {
					time.Sleep(time.Second)
					return opens(ctx, call)
				}, op, "")
				if _, err := attach.Run(t.Context(), c, sp.NewChain(p, p.Innermost()).Then(attach.Perform)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				if f := only(t, p); f.Stage != stage || f.InStage != 5 || f.Age != 6 {
					t.Errorf("open: %+v", f)
				}
				attach.Finish(c, nil)
				s := look(t, p)
				// A query takes until its rows are closed, the others until they have begun.
				took := 1.0
				if op == sp.OpQuery {
					took = 6
				}
				if l := s.latencyOf(t, op.String()); l.Count != 1 || l.Max != took || s.InFlight != 0 {
					t.Errorf("ended: %+v, %d in flight", l, s.InFlight)
				}
				if slow := len(s.Slow) > 0; slow != (op == sp.OpQuery) {
					t.Errorf("slow: %+v", s.Slow)
				}
			})
		})
	}
}

// TestStepsTellWhereTheCallAboveIs runs a handle's call with the steps that a
// pool makes below it, through the same chain.
func TestStepsTellWhereTheCallAboveIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		h := sp.NewChain(p, p.Innermost()).Then(attach.Perform)
		step := func(ctx context.Context, op sp.Op) error {
			c := newCall(func(context.Context, *sp.Call) error {
				time.Sleep(10 * time.Second)
				return nil
			}, op, "SELECT 1 FROM users")
			attach.Bind(ctx, c)
			_, err := attach.Run(ctx, c, h)
			return err
		}
		c := newCall(func(ctx context.Context, call *sp.Call) error {
			time.Sleep(10 * time.Second) // waits for a place in the pool
			below := attach.Context(ctx, call)
			return errors.Join(step(below, sp.OpConnect), step(below, sp.OpQuery))
		}, sp.OpQuery, "SELECT 1 FROM users")
		c.Scope = sp.ScopePool
		f := after(t, p, 5*time.Second, c, p, p.Innermost())
		for _, want := range []string{"driver", "connecting", "executing"} {
			if f.Stage != want || f.InStage != 5 || f.Summary != "SELECT users" {
				t.Errorf("%+v, want stage %s", f, want)
			}
			time.Sleep(10 * time.Second)
			if want != "executing" {
				f = only(t, p)
			}
		}
		if s := look(t, p); s.Statements.Calls != 1 || s.InFlight != 0 {
			t.Errorf("the steps were counted: %+v", s)
		}
	})
}

// TestForkTellsItsStage holds that a hedged call is seen at the database,
// though what is performed is a copy of it.
func TestForkTellsItsStage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		forks := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				fork, ok := call.Fork()
				if !ok {
					t.Error("no fork")
				}
				err := fork.Try(ctx, next)
				call.Adopt(fork)
				return err
			}
		})
		c := newCall(nil, sp.OpQuery, "SELECT 1")
		attach.Reset(c, forked{busy})
		c.Op = sp.OpQuery
		if f := after(t, p, time.Second, c, p, forks, p.Innermost()); f.Stage != "executing" {
			t.Errorf("%+v", f)
		}
	})
}

// forked is an operation that can be performed several times at once.
type forked struct{ script }

func (f forked) Fork() attach.Performer { return f }
func (forked) Adopt(_ attach.Performer) {}

func TestInFlightTellsOfTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		c := newCall(busy, sp.OpQuery, "SELECT name FROM users WHERE id = 7")
		c.InTx = true
		c.Marks.Name = "users.find"
		f := after(t, p, time.Second, c, p,
			event(sp.Event{Kind: sp.EventQueued, Delay: 250 * time.Millisecond, Detail: "limit"}, 0),
			event(sp.Event{Kind: sp.EventRetry, Attempt: 1, Err: serialization}, 0))
		if f.Summary != "SELECT users" || f.Text != "SELECT name FROM users WHERE id = ?" || f.Name != "users.find" ||
			f.Target != "postgresql://db1:5432/orders" || f.Attempt != 2 || !f.Nested {
			t.Errorf("%+v", f)
		}
	})
}

func TestCallLeavesHoweverItEnds(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	run(t, returns(errDriver), sp.OpExec, "", p)
	for _, end := range []func(){func() { panic("x") }, runtime.Goexit} {
		through := make(chan struct{})
		go func() {
			defer close(through)
			defer func() { _ = recover() }()
			run(t, func(context.Context, *sp.Call) error { end(); return nil }, sp.OpExec, "", p)
		}()
		<-through
	}
	refusal := sp.InterceptorFunc(func(sp.Handler) sp.Handler {
		return func(context.Context, *sp.Call) error { return fault.ErrRejected }
	})
	run(t, returns(nil), sp.OpExec, "", p, refusal)
	run(t, returns(context.Canceled), sp.OpExec, "", p)
	s := look(t, p)
	if s.InFlight != 0 || s.Statements.Calls != 5 || s.Statements.Failed != 4 || s.Statements.Canceled != 1 {
		t.Errorf("%d in flight, %+v", s.InFlight, s.Statements)
	}
	kinds := map[string]int{}
	for _, f := range s.Failures {
		kinds[f.Error] = f.Count
	}
	if kinds["aborted"] != 2 || kinds["rejected"] != 1 || len(kinds) != 3 {
		t.Errorf("failures: %v", kinds)
	}
}

func TestOldestCallsAreShownFirstAndNotAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPage(t)
		h := sp.NewChain(p).Then(attach.Perform)
		for range 130 {
			if _, err := attach.Run(t.Context(), newCall(opens, sp.OpQuery, "SELECT 1 FROM users"), h); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		s := look(t, p)
		if s.InFlight != 130 || len(s.Calls) != 100 || s.Calls[0].Age != 130 || s.Calls[99].Age != 31 {
			t.Errorf("%d in flight, %d shown, from %v to %v s", s.InFlight, len(s.Calls), s.Calls[0].Age, s.Calls[len(s.Calls)-1].Age)
		}
	})
}
