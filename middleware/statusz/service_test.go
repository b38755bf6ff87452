package statusz_test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/statusz"
	"github.com/sessionproxy/sessionproxy/retry"
)

// service is a shop in fake time: its customers, its interceptors, and two
// databases, of which one will fail. What the databases answer is made up; the
// rest is what a real service has.
type service struct {
	page    *statusz.Page
	limit   *limit.Limiter
	handler sp.Handler

	mu     sync.Mutex
	chance *rand.Rand
	down   atomic.Bool // the database for reports
	jammed atomic.Bool // the stock: somebody holds a lock
}

var (
	shop    = &sp.Target{System: sp.PostgreSQL, Host: "db-main", Port: 5432, Namespace: "shop", User: "secret_role"}
	reports = &sp.Target{System: sp.MariaDB, Host: "db-reports", Port: 3306, Namespace: "reports", User: "secret_role"}
)

// newService opens the shop.
func newService(t *testing.T) *service {
	t.Helper()
	s := &service{chance: rand.New(rand.NewPCG(1, 2)), limit: must[*limit.Limiter](t)(limit.New(10, limit.WithName("shop"), limit.WithQueue(40)))}
	budget := must[*retry.Budget](t)(retry.NewBudget())
	retrier := must[*retry.Retry](t)(retry.New(retry.WithBudget(budget)))
	brk := must[*breaker.Breaker](t)(breaker.New(breaker.WithFirstOpenTime(10*time.Second), breaker.WithOpenTime(10*time.Second)))
	adaptive := must[*adaptivelimit.Limiter](t)(adaptivelimit.New(adaptivelimit.WithMax(30), adaptivelimit.WithName("all")))
	s.page = newPage(t, statusz.WithTitle("shop"),
		statusz.WithAdaptiveLimits(adaptive.Stats, describeAdaptive),
		statusz.WithBreakers(brk.States, describeBreaker),
		statusz.WithBudget(budget.Remaining, 500),
		statusz.WithLimit(func() statusz.Limit { return statusz.Limit(s.limit.Stats()) }),
		statusz.WithPool("shop", s.pool),
		statusz.WithPool("reports", func() sp.PoolStats {
			return sp.PoolStats{Idle: 1, Max: 4, Pending: sp.UnknownCount, Timeouts: sp.UnknownCount}
		}))
	s.handler = sp.NewChain(s.page, begins(7), s.limit, adaptive, retrier, brk, s.page.Innermost()).Then(attach.Perform)
	return s
}

func describeAdaptive(s adaptivelimit.Stats) statusz.AdaptiveLimit {
	out := statusz.AdaptiveLimit{
		Target: s.Target, Name: s.Name, Limit: s.Limit, InUse: s.InUse, Queue: s.Queue, Waiting: s.Waiting,
		Rejected: s.Rejected, Passed: s.Passed, Latency: s.Latency,
	}
	for _, p := range s.Course {
		out.Course = append(out.Course, statusz.LimitPoint(p))
	}
	return out
}

func describeBreaker(s breaker.Status) statusz.Circuit {
	return statusz.Circuit{
		Target: s.Target, State: s.State.String(), Since: s.Since, RetryAfter: s.RetryAfter,
		Cause: s.Cause, Requests: s.Counts.Requests(), Failures: s.Counts.Failures,
	}
}

func (s *service) pool() sp.PoolStats {
	used := int64(s.limit.Stats().InUse)
	return sp.PoolStats{Used: used, Idle: 12 - used, Max: 16, Timeouts: 3}
}

// must returns a function that fails the test on an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// deal is a kind of call, and how its database answers.
type deal struct {
	weight    int
	op        sp.Op
	target    *sp.Target
	text      string
	operation string
	median    time.Duration
	spread    float64       // of the logarithm
	fault     error         // it fails with now and then,
	part      float64       // in this part of the cases
	reading   time.Duration // that the caller takes over the result
	inside    []deal        // of a unit of work
}

var deals = []deal{
	{weight: 400, op: sp.OpQuery, target: shop, text: "SELECT id, name, price FROM products WHERE category = $1 ORDER BY rank LIMIT 50", median: 4 * time.Millisecond, spread: 0.6, reading: 2 * time.Millisecond},
	{weight: 250, op: sp.OpQuery, target: shop, text: "SELECT user_id, expires FROM sessions WHERE token = $1", median: 700 * time.Microsecond, spread: 0.4},
	{weight: 100, op: sp.OpTransaction, target: shop, operation: "orders.place", fault: serialization, part: 0.05, inside: []deal{
		{op: sp.OpExec, target: shop, text: "UPDATE stock SET reserved = reserved + $1 WHERE product = $2 AND free >= $1", median: 9 * time.Millisecond, spread: 0.8},
		{op: sp.OpExec, target: shop, text: "INSERT INTO orders (customer, product, state) VALUES ($1, $2, 'open')", median: 3 * time.Millisecond, spread: 0.5},
	}},
	{weight: 60, op: sp.OpExec, target: shop, text: "INSERT INTO customers (email, name) VALUES ($1, $2)", median: 3 * time.Millisecond, spread: 0.5, fault: unique, part: 0.02},
	{weight: 40, op: sp.OpQuery, target: shop, text: "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.state = 'open' AND o.made > $1", median: 60 * time.Millisecond, spread: 0.9},
	{weight: 40, op: sp.OpQuery, target: reports, text: "SELECT day, SUM(total) FROM sales WHERE day >= ? GROUP BY day", median: 90 * time.Millisecond, spread: 0.7},
}

// draw returns how long an answer takes, and whether it is a fault.
func (s *service) draw(d *deal) (took time.Duration, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	took = time.Duration(float64(d.median) * math.Exp(s.chance.NormFloat64()*d.spread))
	switch {
	case d.target == reports && s.down.Load():
		return time.Millisecond, pgError("57P03")
	case s.jammed.Load() && strings.HasPrefix(d.text, "UPDATE stock"):
		return 30 * time.Second, nil
	case s.chance.Float64() < d.part:
		return took, d.fault
	}
	return took, nil
}

// make returns a call of a deal.
func (s *service) make(ctx context.Context, d *deal) *sp.Call {
	c := new(sp.Call)
	attach.Reset(c, script(func(ctx context.Context, call *sp.Call) error {
		took, fault := s.draw(d)
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return ctx.Err()
		}
		below := attach.Context(ctx, call)
		for i := range d.inside {
			if _, err := attach.Run(below, s.make(below, &d.inside[i]), s.handler); err != nil {
				return err
			}
		}
		if fault == nil && d.reading > 0 {
			attach.KeepOpen(call)
		}
		return fault
	}))
	c.Op, c.Scope, c.Text, c.Target = d.op, sp.ScopePool, d.text, d.target
	attach.Bind(ctx, c)
	c.Marks.Name = d.operation
	if c.Parent != nil {
		c.InTx, c.Scope = true, sp.ScopeConn
	}
	return c
}

// customer makes one call after the other.
func (s *service) customer(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		pick, pause := s.chance.IntN(890), time.Duration(s.chance.ExpFloat64()*float64(150*time.Millisecond))
		s.mu.Unlock()
		d := &deals[0]
		for i := range deals {
			if pick -= deals[i].weight; pick < 0 {
				d = &deals[i]
				break
			}
		}
		c := s.make(ctx, d)
		if open, _ := attach.Run(ctx, c, s.handler); open {
			time.Sleep(d.reading)
			attach.Finish(c, nil)
		}
		time.Sleep(pause)
	}
}

// open runs the shop for five and a half minutes: the database for reports is
// away twice, and at the end the stock is locked. Then show is called.
func (s *service) open(t *testing.T, show func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var customers sync.WaitGroup
	for range 30 {
		customers.Go(func() { s.customer(ctx) })
	}
	time.Sleep(100 * time.Second)
	s.down.Store(true)
	time.Sleep(35 * time.Second)
	s.down.Store(false)
	time.Sleep(180 * time.Second)
	s.down.Store(true)
	time.Sleep(14 * time.Second)
	s.jammed.Store(true)
	time.Sleep(2 * time.Second)
	show()
	cancel()
	customers.Wait()
}

var folder = flag.String("html", "", "write the page of a busy service into this folder, as busy.html")

// TestBusyService looks at a service in trouble. Its page is what the pictures
// in docs/img show; scripts/screenshots.sh makes them.
func TestBusyService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t)
		s.open(t, func() {
			synctest.Wait()
			checkTroubles(t, look(t, s.page))
			body := get(s.page, http.MethodGet, "/").Body.Bytes()
			if *folder != "" {
				if err := os.WriteFile(filepath.Join(*folder, "busy.html"), body, 0o644); err != nil {
					t.Error(err)
				}
			}
		})
		if end := look(t, s.page); end.InFlight != 0 {
			t.Errorf("%d calls never left", end.InFlight)
		}
	})
}

// checkTroubles holds that the page tells of every trouble the service has.
func checkTroubles(t *testing.T, s shown) {
	t.Helper()
	stages := map[string]int{}
	for _, c := range s.Calls {
		stages[c.Stage]++
	}
	if stages["executing"] == 0 || stages["pipeline"] == 0 || stages["unit"] == 0 {
		t.Errorf("in flight: %v", stages)
	}
	states := map[string]string{}
	for _, b := range s.Breakers {
		states[b.Target] = b.State
	}
	if states[reports.String()] != "open" || states[shop.String()] != "closed" || len(s.Changes) < 3 {
		t.Errorf("breakers: %v, changes: %v", states, s.Changes)
	}
	failures := map[string]bool{}
	for _, f := range s.Failures {
		failures[f.Summary+" "+f.Error] = true
	}
	for _, want := range []string{"INSERT customers 23505", "SELECT sales 57P03", "SELECT sales rejected"} {
		if !failures[want] {
			t.Errorf("no failure %q in %v", want, failures)
		}
	}
	events := map[string]int{}
	for _, e := range s.Events {
		events[e.Kind+" "+e.Detail] = e.Count
	}
	if events["retry serialization"] == 0 || events["queued limit"] == 0 || events["rejected "] != 0 {
		t.Errorf("events: %v", events)
	}
	if len(s.Limits) != 1 || s.Limits[0]["waiting"] == 0.0 || len(s.Pools) != 2 || len(s.Budgets) != 2 {
		t.Errorf("limits %v, pools %v, budgets %v", s.Limits, s.Pools, s.Budgets)
	}
	var sum int
	for _, tick := range s.Traffic {
		sum += tick.Calls
	}
	if len(s.Traffic) != 60 || sum == 0 || sum > s.Statements.Calls {
		t.Errorf("%d ticks, %d of %d calls", len(s.Traffic), sum, s.Statements.Calls)
	}
	if l := s.latencyOf(t, "SELECT sessions"); l.P50 < 0.0006 || l.P50 > 0.0009 {
		t.Errorf("the median is %v s, want about 0.7 ms", l.P50)
	}
}
