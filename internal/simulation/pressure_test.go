package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/internal/simulation"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

// The server of the tests below, and what it can do.
const (
	cores     = 4
	statement = 8 * ms // on average
	possible  = cores * float64(sec) / float64(statement)
	poolSize  = 40
	patience  = sec // of a caller
	lasts     = 5 * sec
)

// stream is calls of one kind, that come at random.
type stream struct {
	perSecond float64
	mark      func(context.Context) context.Context

	calls, good int
	took        []time.Duration // of the good ones
}

// arrive has the calls come for so long, and returns when the last one has ended.
func (s *stream) arrive(db *simulation.DB, dice *rand.Rand, during time.Duration) {
	var mu sync.Mutex
	var calls sync.WaitGroup
	defer calls.Wait()
	for end := time.Now().Add(during); time.Now().Before(end); {
		time.Sleep(time.Duration(dice.ExpFloat64() / s.perSecond * float64(sec)))
		takes := min(time.Duration(dice.ExpFloat64()*float64(statement)), 10*statement)
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(s.mark(context.Background()), patience)
			defer cancel()
			began := time.Now()
			err := db.Exec(ctx, simulation.Work{Text: "SELECT n FROM t WHERE id = 1", Takes: takes})
			mu.Lock()
			defer mu.Unlock()
			if s.calls++; err == nil {
				s.good++
				s.took = append(s.took, time.Since(began))
			}
		})
	}
}

// p99 returns what 99 of 100 good calls did not exceed.
func (s *stream) p99() time.Duration {
	slices.Sort(s.took)
	return s.took[len(s.took)*99/100]
}

// pressed has streams come to a server behind a chain.
func pressed(t *testing.T, seed uint64, chain sp.Chain, streams ...*stream) {
	t.Helper()
	db := simulation.NewDB(simulation.NewServer(cores, 100), poolSize, chain)
	var group sync.WaitGroup
	for i, s := range streams {
		if s.mark == nil {
			s.mark = func(ctx context.Context) context.Context { return ctx }
		}
		group.Go(func() { s.arrive(db, rand.New(rand.NewPCG(seed, uint64(i))), lasts) })
	}
	group.Wait()
	if taken, waiting := db.InUse(); taken != 0 || waiting != 0 {
		t.Errorf("%d connections are taken, %d calls wait", taken, waiting)
	}
}

// limiters are the two limits, made anew.
func limiters() map[string]func() sp.Interceptor {
	return map[string]func() sp.Interceptor{
		"limit":    func() sp.Interceptor { return must(limit.New(cores)) },
		"adaptive": func() sp.Interceptor { return must(adaptivelimit.New(adaptivelimit.WithMax(poolSize))) },
	}
}

// eachLimiter runs a test with each limit, in virtual time.
func eachLimiter(t *testing.T, test func(t *testing.T, seed uint64, chain func() sp.Chain)) {
	t.Helper()
	for name, link := range limiters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seeds(t, 1, func(seed uint64) {
				synctest.Test(t, func(t *testing.T) { test(t, seed, func() sp.Chain { return sp.NewChain(link()) }) })
			})
		})
	}
}

// TestOverloadWithoutCollapse has five times as many calls come as the server can
// serve.
func TestOverloadWithoutCollapse(t *testing.T) {
	t.Parallel()
	eachLimiter(t, func(t *testing.T, seed uint64, chain func() sp.Chain) {
		s := &stream{perSecond: 5 * possible}
		pressed(t, seed, chain(), s)
		if part := float64(s.good) / lasts.Seconds() / possible; part < 0.8 { // the adaptive limit has to be found first
			t.Errorf("seed %d: %.2f of what is possible, p99 %v", seed, part, s.p99())
		} else {
			t.Logf("%.2f of what is possible, p99 %v", part, s.p99())
		}
	})
}

// TestHighPriorityKeepsItsLatency has calls of high priority come while ones of low
// priority flood, five times as many as the server can serve.
func TestHighPriorityKeepsItsLatency(t *testing.T) {
	t.Parallel()
	high := func(ctx context.Context) context.Context { return sp.WithPriority(ctx, sp.PriorityHigh) }
	low := func(ctx context.Context) context.Context { return sp.WithPriority(ctx, sp.PriorityLow) }
	eachLimiter(t, func(t *testing.T, seed uint64, chain func() sp.Chain) {
		alone := &stream{perSecond: possible / 10, mark: high}
		pressed(t, seed, chain(), alone)
		amid := &stream{perSecond: possible / 10, mark: high}
		pressed(t, seed, chain(), amid, &stream{perSecond: 5 * possible, mark: low})
		if amid.good < amid.calls || float64(amid.p99()) > 1.5*float64(alone.p99()) {
			t.Errorf("seed %d: %d of %d succeed, p99 %v; %v alone", seed, amid.good, amid.calls, amid.p99(), alone.p99())
		} else {
			t.Logf("p99 %v, %v alone", amid.p99(), alone.p99())
		}
	})
}

// TestQuietTenantsKeepTheirThroughput has nine tenants take half of what the server
// can do, beside one that floods.
func TestQuietTenantsKeepTheirThroughput(t *testing.T) {
	t.Parallel()
	tenant := func(i int) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context { return sp.WithShare(ctx, fmt.Sprint("tenant ", i)) }
	}
	eachLimiter(t, func(t *testing.T, seed uint64, chain func() sp.Chain) {
		streams := []*stream{{perSecond: 3 * possible, mark: tenant(0)}}
		for i := range 9 {
			streams = append(streams, &stream{perSecond: possible / 18, mark: tenant(i + 1)})
		}
		pressed(t, seed, chain(), streams...)
		worst, whole := 1.0, streams[0].good
		for _, s := range streams[1:] {
			worst = min(worst, float64(s.good)/float64(s.calls))
			whole += s.good
		}
		if worst < 0.9 || float64(whole) < 0.8*possible*lasts.Seconds() {
			t.Errorf("seed %d: a quiet tenant keeps %.2f; %.2f of what is possible in all", seed, worst, float64(whole)/lasts.Seconds()/possible)
		} else {
			t.Logf("each keeps %.2f at least; %.2f of what is possible in all", worst, float64(whole)/lasts.Seconds()/possible)
		}
	})
}
