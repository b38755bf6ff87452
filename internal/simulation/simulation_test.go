package simulation_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
	"github.com/sessionproxy/sessionproxy/internal/simulation"
	"github.com/sessionproxy/sessionproxy/middleware/hedge"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
	"github.com/sessionproxy/sessionproxy/middleware/throttle"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
	"github.com/sessionproxy/sessionproxy/retry"
)

var seedFlag = flag.Uint64("seed", 0, "simulate the one history of this seed")

// outages is how many incidents there are in all.
const (
	outages      = 200
	outagesWhole = 10_000
)

// TestMain runs the histories on one processor, which is as fast: on several, the
// race detector itself now and then fails in a bubble ("ThreadSanitizer: CHECK
// failed", golang/go#78156).
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	goleak.VerifyTestMain(m)
}

// seeds calls run with the seeds of so many histories, or with the one that was
// given. The first failure is the last history.
func seeds(t *testing.T, histories int, run func(seed uint64)) {
	t.Helper()
	if *seedFlag != 0 {
		run(*seedFlag)
		return
	}
	first := uint64(1)
	defer func() { t.Attr("first-seed", strconv.FormatUint(first, 10)) }()
	if os.Getenv("SESSIONPROXY_VERIFY") != "" {
		first = rand.Uint64N(1 << 40)
	}
	for i := range uint64(histories) {
		if run(first + i); t.Failed() {
			return
		}
	}
}

// world is a database, a chain as preset.New makes it, and callers.
type world struct {
	setting
	*simulation.Callers
	server  *simulation.Server
	breaker *breaker.Breaker
	limiter *limit.Limiter
	budget  *retry.Budget
	dice    *rand.Rand // of what happens to the server
	size    int        // of the pool

	mu      sync.Mutex
	changes []breaker.Change
	entered []time.Time // calls that reached the database
	repeats int         // attempts past the first, but for contention
	hedges  int         // second attempts beside a first
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fair returns a source of its own for what an interceptor draws.
func fair(seed, stream uint64) func() float64 {
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, stream))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return dice.Float64()
	}
}

// sizes are those of pools. The largest has the 40 sessions that a test ends.
var sizes = []int{12, 24, 48}

// setting is what a world is, apart from its seed.
type setting struct {
	sessions    int           // that the server has room for
	takes       time.Duration // a statement, on average
	perSecond   float64       // calls that arrive
	unthrottled bool          // the chain has no throttle
}

// usual is a database that has more room than its callers need.
var usual = setting{sessions: 100, takes: 4 * time.Millisecond, perSecond: 80}

// newWorld makes a world that follows from the seed.
func newWorld(seed uint64, in setting) *world {
	w := &world{setting: in, dice: rand.New(rand.NewPCG(seed, 1<<63)), size: sizes[seed%uint64(len(sizes))]}
	w.server = simulation.NewServer(8, in.sessions)
	w.budget = must(retry.NewBudget())
	w.limiter = must(limit.New(w.size - 2))
	breakers, waits := fair(seed, 1<<63+1), fair(seed, 1<<63+2)
	var throttler sp.Interceptor = must(throttle.New(throttle.WithFactor(1.5), throttle.WithRandom(fair(seed, 1<<63+3))))
	breakerOptions := []breaker.Option{
		breaker.WithJitter(func(longest time.Duration) time.Duration { return time.Duration(breakers() * float64(longest)) }),
		breaker.WithOnStateChange(func(c breaker.Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c)
		}),
	}
	if seed%5 == 1 { // it probes by itself
		breakerOptions = append(breakerOptions, breaker.WithProbe(func(ctx context.Context, _ *sp.Target) error { return w.server.Ping(ctx) }))
	}
	w.breaker = must(breaker.New(breakerOptions...))
	retrier := must(retry.New(retry.WithBudget(w.budget),
		retry.WithJitter(func(ceiling time.Duration) time.Duration { return time.Duration(waits() * float64(ceiling)) })))
	var hedger sp.Interceptor
	if seed%3 == 1 {
		hedger = must(hedge.New(hedge.WithDelay(15 * time.Millisecond)))
	}
	var learning []timeout.Option
	if seed%2 == 1 {
		learning = append(learning, timeout.WithPercentile(0.99, 10, 100*time.Millisecond))
	}
	if in.unthrottled {
		throttler = nil
	}
	links := []sp.Interceptor{
		sp.InterceptorFunc(w.watch), w.limiter, retrier, hedger, throttler, w.breaker, must(timeout.New(time.Second, learning...)),
	}
	chain := sp.NewChain(links...)
	db := simulation.NewDB(w.server, w.size, chain)
	db.Entered = func(*sp.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.entered = append(w.entered, time.Now())
	}
	w.Callers = &simulation.Callers{DB: db, Seed: seed, OnConn: seed%4 == 3, Takes: in.takes}
	return w
}

// watch counts repetitions that are charged to the budget.
func (w *world) watch(next sp.Handler) sp.Handler {
	return func(ctx context.Context, call *sp.Call) error {
		call.OnEvent(func(e sp.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			switch {
			case e.Kind == sp.EventRetry && !call.Verdict(e.Err).Contention:
				w.repeats++
			case e.Kind == hedge.Event:
				w.hedges++
			}
		})
		return next(ctx, call)
	}
}

// between draws a duration.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.dice.Float64()*float64(high-low))
}

// lively runs happens while callers are at work, and then waits for all of them.
func (w *world) lively(happens func()) {
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { w.Arrive(ctx, w.perSecond) })
	for range 4 {
		group.Go(func() { w.Work(ctx, 40*time.Millisecond) })
	}
	time.Sleep(time.Second)
	happens()
	stop()
	group.Wait()
	w.Wait()
}

// drained returns what was lost: after everything has ended there is nothing at
// work, and each place can be taken.
func (w *world) drained() error {
	time.Sleep(time.Second)
	for range 20 { // whatever is left of an open circuit
		w.Call()
	}
	if err := w.idle(); err != nil {
		return err
	}
	if s := w.breaker.State(w.DB.Target()); s != breaker.StateClosed {
		return fmt.Errorf("the circuit is %v", s)
	}
	began := time.Now()
	var group sync.WaitGroup
	for range 3 * w.size {
		group.Go(w.Call)
	}
	group.Wait()
	for _, o := range w.Outcomes(began, time.Now().Add(1)) {
		if o.Refused() {
			return fmt.Errorf("a healthy database is refused: %w", o.Err)
		}
	}
	return nil
}

// idle returns what is still taken when no call is at work.
func (w *world) idle() error {
	if s := w.limiter.Stats(); s.InUse != 0 || s.Waiting != 0 {
		return fmt.Errorf("the limit has %d permits taken and %d waiting", s.InUse, s.Waiting)
	}
	if taken, waiting := w.DB.InUse(); taken != 0 || waiting != 0 {
		return fmt.Errorf("%d connections are taken, %d calls wait for one", taken, waiting)
	}
	if busy := w.server.Busy(); busy != 0 {
		return fmt.Errorf("the server is at work at %d statements", busy)
	}
	if n := w.server.Sessions(); n > w.size {
		return fmt.Errorf("%d sessions for a pool of %d", n, w.size)
	}
	return nil
}

// bubble runs a test of a seed in virtual time, in the usual world.
func bubble(t *testing.T, seed uint64, test func(w *world) error) {
	t.Helper()
	bubbleIn(t, seed, usual, test)
}

// bubbleIn runs a test of a seed in virtual time.
func bubbleIn(t *testing.T, seed uint64, in setting, test func(w *world) error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed, in)
		defer func() { _ = w.breaker.Close() }()
		if err := test(w); err != nil {
			t.Errorf("%v\nto see it again: go test ./internal/simulation -run '^%s$' -seed %d", err, t.Name(), seed)
		}
	})
}
