package throttle_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
)

// tooMany is how PostgreSQL refuses a connection.
const tooMany = linktest.PgError("53300")

var target = &sp.Target{System: sp.PostgreSQL, Host: "db.example", Port: 5432, Namespace: "shop", User: "app"}

// rig is a throttler with a chain around it.
type rig struct {
	*throttle.Throttler
	handler sp.Handler
}

func newRig(t testing.TB, opts ...throttle.Option) *rig {
	t.Helper()
	th, err := throttle.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{th, sp.NewChain(th).Then(attach.Perform)}
}

// run performs a statement that is answered with err.
func (r *rig) run(err error) error {
	return r.call(linktest.NewCall(context.Background(), sp.OpExec, linktest.Returns(err)))
}

func (r *rig) call(call *sp.Call) error {
	call.Target = target
	_, err := attach.Run(context.Background(), call, r.handler)
	return err
}

// always picks every call that may be refused.
func always() float64 { return 0 }

func TestCallsAreRefusedOnceMoreThanHalfAreInVain(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		r := newRig(t, throttle.WithRandom(always))
		for range 10 {
			for _, err := range []error{nil, tooMany} {
				if got := r.run(err); !errors.Is(got, err) {
					t.Fatalf("got %v, want %v", got, err)
				}
			}
		}
		if got := r.run(tooMany); !errors.Is(got, tooMany) { // 21 requests, 10 accepts
			t.Fatalf("got %v", got)
		}
		err := r.run(nil)
		refused, ok := errors.AsType[*throttle.Error](err)
		if !ok || !errors.Is(err, fault.ErrRejected) || refused.Share != 1.0/22 || refused.Op != sp.OpExec {
			t.Fatalf("got %#v", err)
		}
		if text := err.Error(); !strings.Contains(text, "exec on postgresql://db.example:5432/shop") || strings.Contains(text, "app") {
			t.Errorf("it says %q", text)
		}
		if got, want := r.Share(target), 2.0/23; got != want { // the refused one is a request
			t.Errorf("the share is %v, want %v", got, want)
		}
		time.Sleep(4 * time.Second)
		if got := r.Share(target); got != 0 {
			t.Errorf("after the window the share is %v", got)
		}
	})
}

func TestOnlyRefusalsForWantOfResourcesCountAsNotAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want float64 // the share after two of them
	}{
		"too many connections":  {tooMany, 2.0 / 3},
		"violated constraint":   {linktest.ErrUnique, 0},
		"serialization failure": {linktest.ErrSerialization, 0},
		"starting up":           {linktest.PgError("57P03"), 0},
		"nothing known":         {linktest.ErrDriver, 0},
		"caller gave up":        {context.Canceled, 0},
		"refused further in":    {fault.ErrRejected, 0},
		"success":               {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			linktest.Bubble(t, func(t *testing.T) {
				r := newRig(t, throttle.WithRandom(func() float64 { return 0.9999 }))
				for range 2 {
					_ = r.run(c.err)
				}
				if got := r.Share(target); got != c.want {
					t.Errorf("the share is %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestWhatBelongsToAnotherCallPasses(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		r := newRig(t, throttle.WithRandom(always))
		_ = r.run(tooMany)
		ctx := context.Background()
		unit := linktest.NewCall(ctx, sp.OpTransaction, linktest.Returns(nil))
		inside := attach.Context(ctx, unit)
		inTx := linktest.NewCall(ctx, sp.OpExec, linktest.Returns(nil))
		inTx.InTx = true
		exec := linktest.NewCall(ctx, sp.OpExec, linktest.Returns(nil))
		for name, call := range map[string]*sp.Call{
			"BEGIN of a unit":            linktest.NewCall(inside, sp.OpBegin, linktest.Returns(nil)),
			"connect of a unit":          linktest.NewCall(inside, sp.OpConnect, linktest.Returns(nil)),
			"statement in a transaction": inTx,
			"step":                       linktest.NewCall(attach.Context(ctx, exec), sp.OpConnect, linktest.Returns(nil)),
			"ROLLBACK":                   linktest.NewCall(ctx, sp.OpRollback, linktest.Returns(nil)),
			"session's method":           linktest.NewCall(ctx, sp.SessionOp("flush"), linktest.Returns(nil)),
		} {
			if err := r.call(call); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, op := range []sp.Op{sp.OpExec, sp.OpTransaction, sp.OpBegin, sp.OpConnect, sp.OpAcquire, sp.OpPing} {
			if err := r.call(linktest.NewCall(ctx, op, linktest.Returns(nil))); !errors.Is(err, fault.ErrRejected) {
				t.Errorf("%s: %v", op, err)
			}
		}
	})
}

// TestAVerifierIsNotRefused: what became of a COMMIT is asked for in an outage.
func TestAVerifierIsNotRefused(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		r := newRig(t, throttle.WithRandom(always))
		for range 10 {
			if got := r.run(tooMany); !errors.Is(got, tooMany) {
				break
			}
		}
		if got := r.run(nil); !errors.Is(got, fault.ErrRejected) {
			t.Fatalf("got %v, want a refusal", got)
		}
		verifier := linktest.NewCall(context.Background(), sp.OpQuery, linktest.Returns(nil))
		attach.Bind(sp.WithVerifying(t.Context()), verifier)
		if got := r.call(verifier); got != nil {
			t.Errorf("a verifier got %v", got)
		}
	})
}

func TestACallThatTakesLongerThanTheWindowCountsWhenItEnds(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		r := newRig(t, throttle.WithWindow(time.Second), throttle.WithRandom(func() float64 { return 0.9999 }))
		slow := linktest.NewCall(context.Background(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
			time.Sleep(5*time.Second + 50*time.Millisecond)
			_ = r.run(tooMany)
			return tooMany
		}})
		_ = r.call(slow)
		if got, want := r.Share(target), 2.0/3; got != want {
			t.Errorf("the share is %v, want %v", got, want)
		}
	})
}

func TestTargetsAndRolesAreApart(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		r := newRig(t, throttle.WithRandom(always))
		_ = r.run(tooMany)
		other := *target
		other.User = "report"
		if a, b := r.Share(target), r.Share(&other); a == 0 || b != 0 {
			t.Errorf("the shares are %v and %v", a, b)
		}
	})
}

// TestAsManyPassAsTheFactorAllows has a database accept so many calls a second
// and refuse the others, for any load, and holds that it gets what it can do, that
// not more reach it in vain than the factor says, and that nothing is refused
// once the load fits.
func TestAsManyPassAsTheFactorAllows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		capacity := rapid.IntRange(20, 40).Draw(rt, "capacity")
		times := rapid.IntRange(3, 6).Draw(rt, "times")
		factor := rapid.SampledFrom([]float64{1.5, 2, 3}).Draw(rt, "factor")
		seed := rapid.Uint64().Draw(rt, "seed")
		var problem string
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t, throttle.WithFactor(factor), throttle.WithRandom(dice.Float64))
			reached, accepted := 0, 0
			second := func(load int) (refused int) {
				left := capacity
				for range load {
					time.Sleep(time.Second / time.Duration(load))
					answer := error(tooMany)
					if left > 0 {
						answer = nil
					}
					call := linktest.NewCall(context.Background(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
						if reached++; left > 0 {
							left--
							accepted++
						}
						return answer
					}})
					if errors.Is(r.call(call), fault.ErrRejected) {
						refused++
					}
				}
				return refused
			}
			for range 10 {
				if refused := second(capacity); refused > 0 {
					problem = "a call is refused while all are accepted"
					return
				}
			}
			for range 10 {
				second(capacity * times)
			}
			reached, accepted = 0, 0
			for range 10 {
				second(capacity * times)
			}
			switch want := factor * float64(accepted); {
			case accepted < 10*capacity*85/100:
				problem = "the database does less than it can"
			case float64(reached) > 1.1*want+5*math.Sqrt(want):
				problem = "too many calls reach the database"
			}
			for range 40 {
				second(capacity)
			}
			if refused := second(capacity); refused > 0 {
				problem = "a call is refused long after the overload"
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// TestNoCountIsLostOrMixed adds from many goroutines at once: an accept is never
// counted without its request, so that a healthy database is never throttled.
func TestNoCountIsLostOrMixed(t *testing.T) {
	t.Parallel()
	r := newRig(t, throttle.WithWindow(10*time.Millisecond), throttle.WithRandom(always))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 5000 {
				if err := r.run(nil); err != nil {
					t.Errorf("a healthy database is throttled: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestOptionsOutOfRangeAreErrorsThatNameThem(t *testing.T) {
	t.Parallel()
	for text, o := range map[string]throttle.Option{
		"WithFactor(0.9)": throttle.WithFactor(0.9), "WithFactor(NaN)": throttle.WithFactor(math.NaN()),
		"WithFactor(1001)": throttle.WithFactor(1001), "WithWindow(1ms)": throttle.WithWindow(time.Millisecond),
		"WithWindow(1h0m1s)": throttle.WithWindow(time.Hour + time.Second), "WithRandom(nil)": throttle.WithRandom(nil),
		"WithMeterProvider(nil)": throttle.WithMeterProvider(nil),
	} {
		if th, err := throttle.New(o); th != nil || err == nil || !strings.HasPrefix(err.Error(), "throttle: "+text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := throttle.New(nil, throttle.WithMeterProvider(&linktest.Meters{Fail: "sessionproxy.throttle.rejected"})); !errors.Is(err, linktest.ErrInstrument) {
		t.Errorf("a counter that can't be made: %v", err)
	}
}

func TestRefusedCallsAreMeasuredByTarget(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		m := &linktest.Meters{}
		r := newRig(t, throttle.WithMeterProvider(m), throttle.WithRandom(always))
		_ = r.run(tooMany)
		_, _ = r.run(nil), r.run(nil)
		m.Same(t, map[string]int64{
			"sessionproxy.throttle.rejected db.namespace=shop,db.system.name=postgresql,server.address=db.example": 2,
		})
	})
}

// admitted returns a function that performs a call that passes.
func admitted(t testing.TB, links ...sp.Interceptor) func() {
	h := sp.NewChain(links...).Then(attach.Perform)
	operation, call := linktest.Returns(nil), new(sp.Call)
	return func() {
		attach.Reset(call, operation)
		call.Op, call.Scope, call.Target = sp.OpExec, sp.ScopePool, target
		if _, err := attach.Run(context.Background(), call, h); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAdmittedCallAllocatesNothing(t *testing.T) {
	if n := alloctest.PerRun(100, admitted(t, newRig(t).Throttler)); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdmitted(b *testing.B) {
	for _, c := range []struct {
		name  string
		links []sp.Interceptor
	}{{"direct", nil}, {"throttle", []sp.Interceptor{newRig(b).Throttler}}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			run := admitted(b, c.links...)
			for b.Loop() {
				run()
			}
		})
		b.Run(c.name+", parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				run := admitted(b, c.links...)
				for pb.Next() {
					run()
				}
			})
		})
	}
}
