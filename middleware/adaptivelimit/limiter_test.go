package adaptivelimit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/internal/alloctest"
	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/adaptivelimit"
	"github.com/sessionproxy/sessionproxy/middleware/limit"
)

func newLimit(t testing.TB, opts ...adaptivelimit.Option) (*adaptivelimit.Limiter, sp.Handler) {
	t.Helper()
	l := must(t, opts...)
	return l, sp.NewChain(l).Then(attach.Perform)
}

// mean is the work of a call, of one core.
const mean = 10 * time.Millisecond

// ideal returns how many calls a server performs in d at the best limit, which is
// as many calls as it has cores.
func ideal(cores, speed float64, d time.Duration) float64 {
	return cores * speed * d.Seconds() / mean.Seconds()
}

// many returns what is to be tried: once, or often where there is time for it.
func many[T any](what ...T) []T {
	if os.Getenv("SESSIONPROXY_VERIFY") == "" {
		return what
	}
	return slices.Repeat(what, 10)
}

func TestItFindsTheBestLimit(t *testing.T) {
	t.Parallel()
	var got, want float64
	for i, cores := range many(4.0, 8, 16) {
		synctest.Test(t, func(t *testing.T) {
			l, h := newLimit(t)
			s := newServer(cores, uint64(i))
			stop := crowd(s, h, max(40, int(5*cores)))
			defer stop()
			time.Sleep(5 * time.Second)
			d := time.Duration(80/cores) * time.Second // so many calls
			done, most := float64(s.during(d)), ideal(cores, 1, d)
			got, want = got+done, want+most
			t.Logf("%v cores: %.3f of what is possible; the limit is %d now", cores, done/most, l.Stats()[0].Limit)
			if done < 0.93*most { // what is drawn makes a difference of one in a hundred
				t.Errorf("%v cores: %v done of %v", cores, done, most)
			}
		})
	}
	if got < 0.95*want {
		t.Errorf("%v done in all, %v with the best limits", got, want)
	}
}

func TestItFollowsTheCapacity(t *testing.T) {
	t.Parallel()
	var got, want float64
	for i, half := range many([2]float64{5, 1}, [2]float64{10, 0.5}) { // cores, speed
		synctest.Test(t, func(t *testing.T) {
			l, h := newLimit(t)
			s := newServer(10, uint64(i))
			stop := crowd(s, h, 50)
			defer stop()
			time.Sleep(6 * time.Second)
			s.set(half[0], half[1])
			time.Sleep(5 * time.Second)
			less := float64(s.during(4 * time.Second))
			s.set(10, 1)
			time.Sleep(5 * time.Second)
			more := float64(s.during(4 * time.Second))
			most, whole := ideal(half[0], half[1], 4*time.Second), ideal(10, 1, 4*time.Second)
			t.Logf("%v: %.3f of what is possible, then %.3f; the limit is %d now", half, less/most, more/whole, l.Stats()[0].Limit)
			got, want = got+less+more, want+most+whole
		})
	}
	if got < 0.92*want {
		t.Errorf("%v done in all, %v with the best limits", got, want)
	}
}

func TestItCostsNothingWithoutOverload(t *testing.T) {
	t.Parallel()
	for _, callers := range []int{8, 15} {
		synctest.Test(t, func(t *testing.T) {
			measure := func(h sp.Handler) int {
				s := newServer(16, 1)
				stop := crowd(s, h, callers)
				defer stop()
				return s.during(8 * time.Second)
			}
			_, h := newLimit(t)
			without, with := measure(sp.NewChain().Then(attach.Perform)), measure(h)
			t.Logf("%d callers: %.3f of what is done without a limit", callers, float64(with)/float64(without))
			if float64(with) < 0.97*float64(without) {
				t.Errorf("%d callers: %d done, %d without a limit", callers, with, without)
			}
		})
	}
}

// serve runs a call of op and text that takes d and ends with err.
func serve(ctx context.Context, h sp.Handler, text string, d time.Duration, err error) error {
	call := linktest.NewCall(ctx, sp.OpQuery, &linktest.Script{Act: func(context.Context, *sp.Call) error {
		time.Sleep(d)
		return err
	}})
	call.Text = text
	_, err = attach.Run(ctx, call, h)
	return err
}

func TestAReportIsNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, h := newLimit(t)
		for i := range 3000 {
			text, d := "SELECT a FROM t", time.Millisecond
			if i > 1000 { // from now on, most are reports
				text, d = "SELECT sum(a) FROM report", 200*time.Millisecond
			}
			if err := serve(t.Context(), h, text, d, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.Stats()[0].Limit; got != 20 {
			t.Errorf("the limit is %d after reports", got)
		}
	})
}

func TestFaultsThatAreOverload(t *testing.T) {
	for _, c := range []struct {
		err     error
		shrinks bool
	}{
		{fault.ErrPoolTimeout, true},
		{fault.ErrAttemptTimeout, true},
		{errors.New("Error 1213 (40001): Deadlock found"), false},
		{context.Canceled, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			l, h := newLimit(t)
			for i := range 1000 {
				var err error
				if i%10 == 9 {
					err = c.err
				}
				_ = serve(t.Context(), h, "SELECT 1", 5*time.Millisecond, err)
			}
			if got := l.Stats()[0].Limit; (got < 20) != c.shrinks {
				t.Errorf("%v: the limit is %d", c.err, got)
			}
		})
	}
}

func TestEachTargetHasALimit(t *testing.T) {
	l, h := newLimit(t, adaptivelimit.WithInitial(1), adaptivelimit.WithQueue(0))
	var held []*sp.Call
	for _, name := range []string{"a", "b"} {
		call := linktest.NewCall(t.Context(), sp.OpBegin, linktest.Opens())
		call.Target = &sp.Target{System: sp.PostgreSQL, Namespace: name}
		if open, err := attach.Run(t.Context(), call, h); !open || err != nil {
			t.Fatal(open, err)
		}
		held = append(held, call)
	}
	second := linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(nil))
	second.Target = &sp.Target{System: sp.PostgreSQL, Namespace: "a"}
	var refusal *adaptivelimit.Error
	if err := l.Admit(t.Context(), second); !errors.As(err, &refusal) {
		t.Errorf("foreseen: %v", err)
	}
	if _, err := attach.Run(t.Context(), second, h); !errors.As(err, &refusal) || refusal.Reason != adaptivelimit.QueueFull || !errors.Is(err, fault.ErrRejected) {
		t.Errorf("a second call of a: %v", err)
	}
	for _, call := range held {
		attach.Finish(call, nil)
	}
	for _, s := range l.Stats() {
		if s.InUse != 0 || s.Waiting != 0 || s.Limit != 1 {
			t.Errorf("%+v", s)
		}
	}
}

func TestALongLineIsShed(t *testing.T) {
	for _, newest := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			opts := []adaptivelimit.Option{adaptivelimit.WithMax(1), adaptivelimit.WithQueue(1000)}
			if newest {
				opts = append(opts, adaptivelimit.WithNewestFirst())
			}
			l, h := newLimit(t, opts...)
			reasons := make(chan adaptivelimit.Reason, 1000)
			for range 300 {
				go func() {
					var refusal *adaptivelimit.Error
					if err := serve(t.Context(), h, "SELECT 1", 10*time.Millisecond, nil); errors.As(err, &refusal) {
						reasons <- refusal.Reason
						return
					}
					reasons <- "served"
				}()
				time.Sleep(5 * time.Millisecond) // twice what one permit serves
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			seen := map[adaptivelimit.Reason]int{}
			for range 300 {
				seen[<-reasons]++
			}
			if s := l.Stats()[0]; seen["served"] < 150 || seen[adaptivelimit.Overload] < 50 || s.InUse+s.Waiting != 0 {
				t.Errorf("newest first %v: %v, %+v", newest, seen, s)
			}
		})
	}
}

func TestOptionsOutOfRangeAreRefused(t *testing.T) {
	for _, o := range []adaptivelimit.Option{
		adaptivelimit.WithMax(0), adaptivelimit.WithMin(0), adaptivelimit.WithMin(101), adaptivelimit.WithInitial(0), adaptivelimit.WithQueue(-1),
		adaptivelimit.WithMaxWait(-1), adaptivelimit.WithQueueTime(-1, 1), adaptivelimit.WithQueueTime(1, 0),
		adaptivelimit.WithName(""), adaptivelimit.WithMeterProvider(nil),
	} {
		if l, err := adaptivelimit.New(nil, o); err == nil || l != nil {
			t.Error("no error")
		}
	}
}

// reused returns a function that runs one call over and over.
func reused(ctx context.Context, op sp.Op, link sp.Interceptor) func() {
	h, operation, call := sp.NewChain(link).Then(attach.Perform), linktest.Returns(nil), new(sp.Call)
	return func() {
		attach.Reset(call, operation)
		call.Op, call.Scope, call.Text = op, sp.ScopePool, "SELECT name FROM users WHERE id = $1"
		attach.Bind(ctx, call)
		_, _ = attach.Run(ctx, call, h)
	}
}

func TestAnAdmittedCallAllocatesNothing(t *testing.T) {
	l, _ := newLimit(t)
	if n := alloctest.PerRun(100, reused(t.Context(), sp.OpExec, l)); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := alloctest.PerRun(100, reused(t.Context(), sp.OpBegin, l)); n > 1 {
		t.Errorf("%v allocations of a transaction", n)
	}
}

func BenchmarkAdmitted(b *testing.B) {
	adaptive, _ := newLimit(b)
	plain, err := limit.New(20)
	if err != nil {
		b.Fatal(err)
	}
	for name, link := range map[string]sp.Interceptor{"adaptive": adaptive, "limit": plain} {
		b.Run(name, func(b *testing.B) {
			f := reused(b.Context(), sp.OpExec, link)
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

func Example() {
	limiter, err := adaptivelimit.New(adaptivelimit.WithMax(40), adaptivelimit.WithInitial(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sp.NewChain(limiter).Then(attach.Perform)
	var call sp.Call
	attach.Reset(&call, linktest.Returns(nil))
	call.Op, call.Scope, call.Text = sp.OpExec, sp.ScopePool, "UPDATE orders SET paid = true WHERE id = $1"
	_, err = attach.Run(context.Background(), &call, h)
	for _, s := range limiter.Stats() {
		fmt.Println(err, "limit", s.Limit, "in use", s.InUse)
	}
	// Output: <nil> limit 10 in use 0
}

func must(t testing.TB, opts ...adaptivelimit.Option) *adaptivelimit.Limiter {
	t.Helper()
	l, err := adaptivelimit.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
