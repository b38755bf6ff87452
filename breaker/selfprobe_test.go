package breaker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/breaker"
)

// TestABreakerProbesByItselfIfAskedTo has no caller while the database is down:
// the circuit is closed when it is back, and not before.
func TestABreakerProbesByItselfIfAskedTo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var pings atomic.Int64
		back := time.Now().Add(10*time.Second + 100*time.Millisecond)
		r := recovers(t, breaker.WithProbe(func(_ context.Context, to *sp.Target) error {
			if *to != *target {
				t.Errorf("ping of %v", to)
			}
			pings.Add(1)
			if time.Now().Before(back) {
				return errRefused
			}
			return nil
		}))
		r.open()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		// 100, 200 and 400 ms, then every 500.
		if n := pings.Load(); n < 20 || n > 22 {
			t.Errorf("%d pings in 10 s", n)
		}
		r.want(breaker.StateOpen)
		time.Sleep(time.Second)
		synctest.Wait()
		r.want(breaker.StateClosed)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestACloseEndsAPingUnderWayAndPlansNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		began := make(chan struct{}, 1)
		var cause error
		r := recovers(t, breaker.WithProbe(func(ctx context.Context, _ *sp.Target) error {
			began <- struct{}{}
			<-ctx.Done()
			cause = context.Cause(ctx)
			return ctx.Err()
		}))
		r.open()
		<-began
		if err := r.Close(); err != nil || !errors.Is(cause, breaker.ErrClosed) {
			t.Errorf("close: %v, ping ended by %v", err, cause)
		}
		_ = r.Close()
		// Callers are the probes now.
		time.Sleep(time.Second)
		r.exec(7, nil)
		r.want(breaker.StateClosed)
		r.open()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(began) != 0 {
			t.Error("a ping after Close")
		}
	})
}

func TestAPingThatPanicsOrHangsIsAFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var pings atomic.Int64
		r := recovers(t, breaker.WithProbe(func(ctx context.Context, _ *sp.Target) error {
			switch pings.Add(1) {
			case 1:
				panic("no")
			case 2:
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}))
		r.open()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if pings.Load() < 3 || r.State(target) != breaker.StateClosed {
			t.Errorf("%d pings, circuit %v", pings.Load(), r.State(target))
		}
		_ = r.Close()
	})
}
