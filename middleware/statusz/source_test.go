package statusz_test

import (
	"context"
	"iter"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/retry"
)

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	t.Parallel()
	none := func() iter.Seq[breaker.Status] { return nil }
	for want, o := range map[string]statusz.Option{
		`WithTitle("")`:           statusz.WithTitle(""),
		"WithSlowThreshold(0s)":   statusz.WithSlowThreshold(0),
		"WithSlowThreshold(-1ns)": statusz.WithSlowThreshold(-1),
		"WithRefresh(-1s)":        statusz.WithRefresh(-time.Second),
		"WithRefresh(99ms)":       statusz.WithRefresh(99 * time.Millisecond),
		"WithBreakers: want two":  statusz.WithBreakers(none, nil),
		"WithBudget(nil)":         statusz.WithBudget(nil, 1),
		"WithBudget(…, 0)":        statusz.WithBudget(func(*sp.Target) int { return 0 }, 0),
		"WithLimit(nil)":          statusz.WithLimit(nil),
		"WithAdaptiveLimits":      statusz.WithAdaptiveLimits[int](nil, nil),
		`WithPool("")`:            statusz.WithPool("", func() sp.PoolStats { return sp.PoolStats{} }),
		`WithPool("a", nil)`:      statusz.WithPool("a", nil),
	} {
		if p, err := statusz.New(o); err == nil || p != nil || !strings.HasPrefix(err.Error(), "statusz: "+want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := statusz.New(nil, statusz.WithRefresh(0)); err != nil {
		t.Error(err)
	}
}

func TestPoolsShowWhatTheyTell(t *testing.T) {
	t.Parallel()
	p := newPage(t,
		statusz.WithPool("orders", func() sp.PoolStats { return sp.PoolStats{Used: 3, Idle: 1, Max: 4, Pending: 2, Timeouts: 7} }),
		statusz.WithPool("open", func() sp.PoolStats {
			return sp.PoolStats{Used: 3, Max: sp.UnknownCount, Pending: sp.UnknownCount, Timeouts: sp.UnknownCount}
		}))
	s := look(t, p)
	if len(s.Pools) != 2 || s.Pools[0]["pending"] != 2.0 || s.Pools[0]["timeouts"] != 7.0 || s.Pools[0]["max"] != 4.0 {
		t.Fatalf("%v", s.Pools)
	}
	if _, told := s.Pools[1]["max"]; told || s.Pools[1]["used"] != 3.0 || s.Pools[1]["idle"] != 0.0 {
		t.Errorf("%v", s.Pools[1])
	}
	if body := get(p, http.MethodGet, "/").Body.String(); strings.Contains(body, "-1") || !strings.Contains(body, ">orders<") {
		t.Error("the page shows an unknown count, or no pool")
	}
}

func TestLimitsOfTheMiddlewareAreShown(t *testing.T) {
	t.Parallel()
	limit, err := limit.New(2, limit.WithName("shop"), limit.WithQueue(5))
	if err != nil {
		t.Fatal(err)
	}
	p := newPage(t, statusz.WithLimit(func() statusz.Limit { return statusz.Limit(limit.Stats()) }))
	c := newCall(opens, sp.OpQuery, "SELECT 1")
	if _, err := attach.Run(t.Context(), c, sp.NewChain(p, limit).Then(attach.Perform)); err != nil {
		t.Fatal(err)
	}
	l := look(t, p).Limits[0]
	if l["name"] != "shop" || l["limit"] != 2.0 || l["in_use"] != 1.0 || l["queue"] != 5.0 || l["waiting"] != 0.0 || l["rejected"] != 0.0 {
		t.Errorf("%v", l)
	}
	attach.Finish(c, nil)
	if l := look(t, p).Limits[0]; l["in_use"] != 0.0 {
		t.Errorf("%v", l)
	}
}

// TestAnAdaptiveLimitIsShownOverTime has calls in fake time, and looks at the
// document and at the page's bars.
func TestAnAdaptiveLimitIsShownOverTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter, err := adaptivelimit.New(adaptivelimit.WithInitial(7), adaptivelimit.WithName("shop"))
		if err != nil {
			t.Fatal(err)
		}
		p := newPage(t, statusz.WithAdaptiveLimits(limiter.Stats, describeAdaptive))
		h := sp.NewChain(p, limiter).Then(attach.Perform)
		for range 3000 { // 30 s
			c := newCall(func(context.Context, *sp.Call) error {
				time.Sleep(10 * time.Millisecond)
				return nil
			}, sp.OpQuery, "SELECT 1")
			c.Scope = sp.ScopePool
			if _, err := attach.Run(t.Context(), c, h); err != nil {
				t.Fatal(err)
			}
		}
		all := look(t, p).Adaptive
		if len(all) != 1 || all[0]["name"] != "shop" || all[0]["limit"] != 7.0 || all[0]["latency_seconds"] != 0.01 {
			t.Fatalf("%v", all)
		}
		course, _ := all[0]["course"].([]any)
		if len(course) < 6 {
			t.Fatalf("%d points", len(course))
		}
		for _, point := range course {
			if q, _ := point.(map[string]any); q["limit"] != 7.0 || q["in_use"] != 1.0 || q["latency_seconds"] != 0.01 {
				t.Errorf("%v", q)
			}
		}
		body := get(p, http.MethodGet, "/").Body.String()
		if n := strings.Count(body, "1 in use of 7, 10.0 ms"); n != 2*len(course) {
			t.Errorf("the page has %d bars of %d points", n, len(course))
		}
	})
}

func TestBudgetsAreShownByDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		budget, err := retry.NewBudget(retry.WithCapacity(20))
		if err != nil {
			t.Fatal(err)
		}
		retrier, err := retry.New(retry.WithBudget(budget))
		if err != nil {
			t.Fatal(err)
		}
		p := newPage(t, statusz.WithBudget(budget.Remaining, 20))
		c := newCall(returns(syscall.ECONNREFUSED), sp.OpTransaction, "")
		c.Scope = sp.ScopePool
		_, _ = attach.Run(t.Context(), c, sp.NewChain(p, retrier).Then(attach.Perform))
		s := look(t, p)
		if len(s.Budgets) != 1 || s.Budgets[0].Target != "postgresql://db1:5432/orders" || s.Budgets[0].Capacity != 20 ||
			s.Budgets[0].Remaining >= 20 || s.Budgets[0].Remaining != budget.Remaining(orders) {
			t.Errorf("%+v", s.Budgets)
		}
		if len(s.Failures) != 1 || s.Failures[0].Attempts < 2 {
			t.Errorf("%+v", s.Failures)
		}
	})
}

// TestBreakersTellTheirStateAndHistory has a circuit open, and holds that a page
// that was given the breaker tells more of it than one that hears of it.
func TestBreakersTellTheirStateAndHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		brk, err := breaker.New(breaker.WithConsecutiveFailures(3), breaker.WithProbes(1),
			breaker.WithFirstOpenTime(10*time.Second), breaker.WithOpenTime(10*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		asks, hears := newPage(t, statusz.WithBreakers(brk.States, describeBreaker)), newPage(t)
		call := func(err error) {
			c := newCall(returns(err), sp.OpExec, "")
			c.Scope = sp.ScopePool
			_, _ = attach.Run(t.Context(), c, sp.NewChain(asks, hears, brk).Then(attach.Perform))
		}
		for range 3 {
			call(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
		}
		time.Sleep(4 * time.Second)
		s := look(t, asks)
		if len(s.Breakers) != 1 || s.Breakers[0].State != "open" || s.Breakers[0].For != 4 || s.Breakers[0].RetryAfter < 6 || s.Breakers[0].RetryAfter > 8.5 ||
			s.Breakers[0].Cause != fault.ClassConnect.String() || s.Breakers[0].Target != "postgresql://db1:5432/orders" {
			t.Errorf("asked: %+v", s.Breakers)
		}
		s = look(t, hears)
		if len(s.Breakers) != 1 || s.Breakers[0].State != "open" || s.Breakers[0].For != 4 {
			t.Errorf("heard: %+v", s.Breakers)
		}
		time.Sleep(9 * time.Second)
		call(nil)
		for _, p := range []*statusz.Page{asks, hears} {
			s := look(t, p)
			var history []string
			for _, c := range s.Changes {
				history = append(history, c.State)
			}
			if s.Breakers[0].State != "closed" || !slices.Equal(history, []string{"closed", "half_open", "open"}) {
				t.Errorf("%+v, %v", s.Breakers, history)
			}
		}
	})
}

func TestChangesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPage(t)
	for i := range 50 {
		run(t, returns(nil), sp.OpExec, "", p, event(sp.Event{Kind: sp.EventBreaker, Detail: "s" + string(rune('A'+i))}, 0))
	}
	if c := look(t, p).Changes; len(c) != 30 || c[0].State != "sr" || c[29].State != "sU" {
		t.Errorf("%d changes, %+v", len(c), c)
	}
}
