package timeout_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

func TestTimeoutEndsACallWhenTheTimeIsUp(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		start := time.Now()
		events, err := linktest.Run(t.Context(), sp.OpExec, linktest.Hangs(linktest.CtxErr), linktest.Must(t)(timeout.New(time.Second)))
		var limited *timeout.Error
		if !errors.As(err, &limited) || limited.Limit != time.Second || limited.Op != sp.OpExec {
			t.Fatalf("error %v, want a *timeout.Error of an exec with its limit", err)
		}
		if !errors.Is(err, fault.ErrAttemptTimeout) || !errors.Is(err, context.DeadlineExceeded) || !os.IsTimeout(err) {
			t.Errorf("%v does not match what it should", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want the limit", took)
		}
		if e, ok := linktest.EventOf(events, sp.EventTimeout); !ok || e.Delay != time.Second {
			t.Errorf("events %v, want a timeout of %v", events, time.Second)
		}
		const want = "timeout: exec: time limit of 1s exceeded: context deadline exceeded"
		if err.Error() != want {
			t.Errorf("text %q, want %q", err, want)
		}
	})
}

func TestTheContextSaysWhoseTimeIsUp(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		limited := linktest.Must(t)(timeout.New(time.Second))
		op := linktest.Hangs(func(ctx context.Context) error {
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("Err() = %v, want the deadline", ctx.Err())
			}
			if cause := context.Cause(ctx); !errors.Is(cause, fault.ErrAttemptTimeout) {
				t.Errorf("cause %v, want the attempt's timeout", cause)
			}
			return ctx.Err()
		})
		call := linktest.NewCall(t.Context(), sp.OpExec, op)
		_, err := attach.Run(t.Context(), call, sp.NewChain(limited).Then(attach.Perform))
		if v := call.Verdict(err); v.Class != fault.ClassAttemptTimeout || v.Breaker != fault.BreakerFailure {
			t.Errorf("verdict %+v, want a failed attempt", v)
		}
	})
}

func TestTheLimitIsTheDeadlineUntilTheResultIsHandedOver(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.Opens()
		var inside context.Context
		open := op.Act
		op.Act = func(ctx context.Context, call *sp.Call) error {
			inside = ctx
			if d, ok := ctx.Deadline(); !ok || !d.Equal(time.Now().Add(time.Second)) {
				t.Errorf("deadline %v, %v: want the limit's", d, ok)
			}
			return open(ctx, call)
		}
		call := linktest.NewCall(t.Context(), sp.OpQuery, op)
		open2, err := attach.Run(t.Context(), call, sp.NewChain(linktest.Must(t)(timeout.New(time.Second))).Then(attach.Perform))
		if !open2 || err != nil {
			t.Fatalf("Run() = %v, %v", open2, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, ok := inside.Deadline(); ok || inside.Err() != nil {
			t.Errorf("the rows' context has a deadline, or ended: %v", inside.Err())
		}
		attach.Finish(call, nil)
		if inside.Err() == nil {
			t.Error("the rows' context outlives the call")
		}
	})
}

func TestRowsEndWithTheCallersContext(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		op := linktest.Opens()
		var inside context.Context
		open := op.Act
		op.Act = func(ctx context.Context, call *sp.Call) error {
			inside = ctx
			return open(ctx, call)
		}
		call := linktest.NewCall(ctx, sp.OpBegin, op)
		if _, err := attach.Run(ctx, call, sp.NewChain(linktest.Must(t)(timeout.New(time.Second))).Then(attach.Perform)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if !errors.Is(inside.Err(), context.Canceled) {
			t.Errorf("Err() = %v, want the caller's", inside.Err())
		}
		attach.Finish(call, context.Canceled)
	})
}

func TestAResultThatCameTooLateIsThrownAway(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.Opens()
		op.Act = func(ctx context.Context, call *sp.Call) error {
			<-ctx.Done()
			attach.KeepOpen(call)
			return nil
		}
		events, err := linktest.Run(t.Context(), sp.OpQuery, op, linktest.Must(t)(timeout.New(time.Second)))
		if !errors.Is(err, fault.ErrAttemptTimeout) {
			t.Errorf("error %v: the rows' context has ended, want a timeout", err)
		}
		if op.Discarded != 1 {
			t.Errorf("discarded %d times, want once", op.Discarded)
		}
		if _, ok := linktest.EventOf(events, sp.EventTimeout); !ok {
			t.Error("no event")
		}
	})
}

func TestALateSuccessIsASuccess(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		events, err := linktest.Run(t.Context(), sp.OpCommit, linktest.Hangs(func(context.Context) error { return nil }),
			linktest.Must(t)(timeout.New(time.Second)))
		if err != nil || len(events) != 0 {
			t.Errorf("error %v, events %v: want a success", err, events)
		}
	})
}

func TestADefiniteAnswerIsNoTimeout(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		for _, c := range []struct {
			answer error
			want   bool // a limited
		}{
			{linktest.ErrUnique, false},
			{linktest.ErrSerialization, false},
			{linktest.ErrCanceledQuery, true}, // the server's way of saying so
			{linktest.ErrDriver, true},
			{linktest.ErrDiskFull, true},
		} {
			_, err := linktest.Run(t.Context(), sp.OpExec, linktest.Hangs(func(context.Context) error { return c.answer }),
				linktest.Must(t)(timeout.New(time.Second)))
			if !errors.Is(err, c.answer) {
				t.Errorf("error %v does not unwrap to %v", err, c.answer)
			}
			if got := errors.Is(err, fault.ErrAttemptTimeout); got != c.want {
				t.Errorf("%v: a timeout %v, want %v", c.answer, got, c.want)
			}
		}
	})
}

func TestErrorsOfOthersPassUnchanged(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		limited := linktest.Must(t)(timeout.New(time.Second))
		if _, err := linktest.Run(t.Context(), sp.OpExec, linktest.Returns(linktest.ErrDriver), limited); err != linktest.ErrDriver {
			t.Errorf("in time: %v, want %v", err, linktest.ErrDriver)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		if _, err := linktest.Run(ctx, sp.OpExec, linktest.Hangs(linktest.CtxErr), limited); err != context.Canceled {
			t.Errorf("cancelled by the caller: %v, want %v", err, context.Canceled)
		}
	})
}

func TestACallerWhoGaveUpFirstIsNoTimeout(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		op := linktest.Hangs(func(ctx context.Context) error {
			time.Sleep(time.Second) // the driver takes its time, past the limit
			return ctx.Err()
		})
		_, err := linktest.Run(ctx, sp.OpExec, op, linktest.Must(t)(timeout.New(time.Second)))
		if !errors.Is(err, context.Canceled) || errors.Is(err, fault.ErrAttemptTimeout) {
			t.Errorf("error %v, want the caller's cancellation", err)
		}
	})
}

// TestADriverThatWatchesTheDeadlineItselfMayBeAheadOfTheTimer needs the real
// clock: that of a bubble stands still while a goroutine is at work.
func TestADriverThatWatchesTheDeadlineItselfMayBeAheadOfTheTimer(t *testing.T) {
	t.Parallel()
	limited := linktest.Must(t)(timeout.New(100 * time.Microsecond))
	for range 50 {
		var cause error
		op := &linktest.Script{Act: func(ctx context.Context, _ *sp.Call) error {
			for deadline, _ := ctx.Deadline(); time.Now().Before(deadline); {
			}
			if ctx.Err() != nil {
				cause = context.Cause(ctx)
			}
			return os.ErrDeadlineExceeded
		}}
		_, err := linktest.Run(t.Context(), sp.OpExec, op, limited)
		if !errors.Is(err, fault.ErrAttemptTimeout) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("error %v, want a timeout", err)
		}
		if !errors.Is(cause, fault.ErrAttemptTimeout) {
			t.Fatalf("the context's cause at the deadline is %v", cause)
		}
	}
}

// TestATimeoutIsNoCancellation is about drivers that derive a context of their
// own, which only can say that it was cancelled.
func TestATimeoutIsNoCancellation(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := &linktest.Script{Act: func(ctx context.Context, _ *sp.Call) error {
			derived, cancel := context.WithCancel(ctx)
			defer cancel()
			<-derived.Done()
			return fmt.Errorf("dial: %w", &wrapped{derived.Err()})
		}}
		_, err := linktest.Run(t.Context(), sp.OpConnect, op, linktest.Must(t)(timeout.New(time.Second)))
		if errors.Is(err, context.Canceled) {
			t.Errorf("%v matches context.Canceled", err)
		}
		if _, ok := errors.AsType[*wrapped](err); !ok {
			t.Errorf("%v hides the driver's error", err)
		}
		bare := linktest.Hangs(func(context.Context) error { return context.Canceled })
		if _, err := linktest.Run(t.Context(), sp.OpConnect, bare, linktest.Must(t)(timeout.New(time.Second))); errors.Is(err, context.Canceled) {
			t.Errorf("%v matches context.Canceled", err)
		}
	})
}

type wrapped struct{ err error }

func (w *wrapped) Error() string { return "wrapped: " + w.err.Error() }
func (w *wrapped) Unwrap() error { return w.err }

func TestATimeoutIsNotSentAgainByDatabaseSQL(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.Hangs(func(context.Context) error { return fmt.Errorf("write: %w", driver.ErrBadConn) })
		_, err := linktest.Run(t.Context(), sp.OpExec, op, linktest.Must(t)(timeout.New(time.Second)))
		if errors.Is(err, driver.ErrBadConn) || !errors.Is(err, fault.ErrAttemptTimeout) {
			t.Errorf("error %v: want a timeout that does not match driver.ErrBadConn", err)
		}
	})
}

func TestTimeoutOverAllAndPerAttempt(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		attempt := linktest.Must(t)(timeout.New(time.Second))
		overall := linktest.Must(t)(timeout.New(5 * time.Second / 2))
		start := time.Now()
		op := linktest.Hangs(linktest.CtxErr)
		_, err := linktest.Run(t.Context(), sp.OpQuery, op, overall, linktest.Retrying(9), attempt)
		limited, ok := errors.AsType[*timeout.Error](err)
		if !ok || limited.Limit != 5*time.Second/2 {
			t.Fatalf("error %v, want that of the overall limit", err)
		}
		if took := time.Since(start); took != 5*time.Second/2 {
			t.Errorf("took %v, want the overall limit", took)
		}
		// Two whole attempts, half a one, and the rest on a dead context.
		if op.Performed != 9 {
			t.Errorf("%d attempts, want 9", op.Performed)
		}
	})
}

func TestAttemptsThatSucceedInTimeLeaveNoLimitBehind(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.Opens()
		open := op.Act
		op.Act = func(ctx context.Context, call *sp.Call) error {
			if call.Attempt() < 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			return open(ctx, call)
		}
		call := linktest.NewCall(t.Context(), sp.OpQuery, op)
		h := sp.NewChain(linktest.Retrying(3), linktest.Must(t)(timeout.New(time.Second))).Then(attach.Perform)
		if isOpen, err := attach.Run(t.Context(), call, h); !isOpen || err != nil {
			t.Fatalf("Run() = %v, %v", isOpen, err)
		}
		time.Sleep(time.Hour)
		if !attach.Finish(call, nil) {
			t.Error("the rows had ended before they were closed")
		}
	})
}

func TestALostCommitStaysUnknown(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		op := linktest.Hangs(func(ctx context.Context) error { return &fault.CommitError{Err: ctx.Err()} })
		_, err := linktest.Run(t.Context(), sp.OpCommit, op, linktest.Must(t)(timeout.New(time.Second)))
		if !errors.Is(err, sp.ErrCommitUnknown) || !errors.Is(err, fault.ErrAttemptTimeout) {
			t.Errorf("error %v, want a timeout with an unknown outcome", err)
		}
	})
}

func TestTheLimitEndsWithAPanic(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		var inside context.Context
		op := &linktest.Script{Act: func(ctx context.Context, _ *sp.Call) error {
			inside = ctx
			panic("driver")
		}}
		func() {
			defer func() { _ = recover() }()
			_, _ = linktest.Run(t.Context(), sp.OpExec, op, linktest.Must(t)(timeout.New(time.Second)))
		}()
		if inside.Err() == nil {
			t.Error("the context outlives the call")
		}
		// The bubble fails if the timer is left running and anybody waits for it.
	})
}
