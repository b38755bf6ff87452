package timeout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/timeout"
)

// contextOf returns the context that an operation gets under links.
func contextOf(ctx context.Context, call *sp.Call, links ...sp.Interceptor) context.Context {
	var inside context.Context
	core := func(ctx context.Context, _ *sp.Call) error {
		inside = ctx
		return nil
	}
	_, _ = attach.Run(ctx, call, sp.NewChain(links...).Then(core))
	return inside
}

func TestTimeoutDoesNothingWhereItHasNothingToDo(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		limited := linktest.Must(t)(timeout.New(time.Second, timeout.WithFor(0, sp.OpCopy)))
		sooner, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		equal, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		above := linktest.NewCall(t.Context(), sp.OpQuery, linktest.Returns(nil))
		step := attach.Context(t.Context(), above)
		for name, c := range map[string]struct {
			ctx context.Context
			op  sp.Op
		}{
			"the caller's deadline comes first":        {sooner, sp.OpExec},
			"the caller's deadline comes at that time": {equal, sp.OpExec},
			"a step of a call above":                   {step, sp.OpConnect},
			"rollback":                                 {t.Context(), sp.OpRollback},
			"close":                                    {t.Context(), sp.OpClose},
			"closing a session":                        {t.Context(), sp.SessionOp("close")},
			"no I/O":                                   {t.Context(), sp.SessionOp("add")},
			"taken out by an option":                   {t.Context(), sp.OpCopy},
		} {
			if got := contextOf(c.ctx, linktest.NewCall(c.ctx, c.op, nil), limited); got != c.ctx {
				t.Errorf("%s: it made a context", name)
			}
		}
	})
}

func TestLimitsByOperation(t *testing.T) {
	linktest.Bubble(t, func(t *testing.T) {
		limited := linktest.Must(t)(timeout.New(time.Second,
			timeout.WithFor(10*time.Second, sp.OpTransaction, sp.OpCopy),
			timeout.WithFor(3*time.Second, sp.OpRollback)))
		unit := attach.Context(t.Context(), linktest.NewCall(t.Context(), sp.OpTransaction, nil))
		for _, c := range []struct {
			ctx  context.Context
			op   sp.Op
			want time.Duration
		}{
			{t.Context(), sp.OpExec, time.Second},
			{t.Context(), sp.OpTransaction, 10 * time.Second},
			{t.Context(), sp.OpCopy, 10 * time.Second},
			{t.Context(), sp.OpRollback, 3 * time.Second},
			{unit, sp.OpExec, time.Second},
			{t.Context(), sp.SessionOp("flush"), time.Second},
		} {
			inside := contextOf(c.ctx, linktest.NewCall(c.ctx, c.op, nil), limited)
			// Finished calls have no limit: ask for the time of the error instead.
			if inside == c.ctx {
				t.Errorf("%v: no limit", c.op)
			}
			start := time.Now()
			if _, err := linktest.Run(c.ctx, c.op, linktest.Hangs(linktest.CtxErr), limited); !errors.Is(err, fault.ErrAttemptTimeout) {
				t.Errorf("%v: %v, want a timeout", c.op, err)
			}
			if took := time.Since(start); took != c.want {
				t.Errorf("%v: limit %v, want %v", c.op, took, c.want)
			}
		}
	})
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		d    time.Duration
		opts []timeout.Option
	}{
		"timeout: New(0s): want more than 0":                                 {d: 0},
		"timeout: New(-1s): want more than 0":                                {d: -time.Second},
		"timeout: WithFor(-1s): want 0 or more":                              {time.Second, linktest.One(timeout.WithFor(-time.Second, sp.OpExec))},
		"timeout: WithFor: want at least one operation":                      {time.Second, linktest.One(timeout.WithFor(time.Second))},
		"timeout: WithFor(1s, unknown): want an operation that does I/O":     {time.Second, linktest.One(timeout.WithFor(time.Second, sp.Op(200)))},
		"timeout: WithFor(1s, session.add): want an operation that does I/O": {time.Second, linktest.One(timeout.WithFor(time.Second, sp.SessionOp("add")))},
	} {
		i, err := timeout.New(c.d, c.opts...)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Timeout = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := timeout.New(time.Second, nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
