package middleware_test

import (
	"context"
	"errors"
	"testing"
	"time"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// contextOf returns the context that an operation gets under links.
func contextOf(ctx context.Context, call *sp.Call, links ...sp.Interceptor) context.Context {
	var inside context.Context
	core := func(ctx context.Context, _ *sp.Call) error {
		inside = ctx
		return nil
	}
	_, _ = call.Run(ctx, sp.NewChain(links...).Then(core))
	return inside
}

func TestTimeoutDoesNothingWhereItHasNothingToDo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		timeout := must(t)(middleware.Timeout(second, middleware.WithTimeoutFor(0, sp.OpCopy)))
		sooner, cancel := context.WithTimeout(t.Context(), second/2)
		defer cancel()
		equal, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		above := newCall(t.Context(), sp.OpQuery, returns(nil))
		step := sp.ContextWithCall(t.Context(), above)
		for name, c := range map[string]struct {
			ctx context.Context
			op  sp.Op
		}{
			"the caller's deadline comes first":        {sooner, sp.OpExec},
			"the caller's deadline comes at that time": {equal, sp.OpExec},
			"a step of a call above":                   {step, sp.OpConnect},
			"rollback":                                 {t.Context(), sp.OpRollback},
			"close":                                    {t.Context(), sp.OpClose},
			"closing a session":                        {t.Context(), sp.OpSessionClose},
			"no I/O":                                   {t.Context(), sp.OpSessionAdd},
			"taken out by an option":                   {t.Context(), sp.OpCopy},
		} {
			if got := contextOf(c.ctx, newCall(c.ctx, c.op, nil), timeout); got != c.ctx {
				t.Errorf("%s: it made a context", name)
			}
		}
	})
}

func TestLimitsByOperation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		timeout := must(t)(middleware.Timeout(second,
			middleware.WithTimeoutFor(10*second, sp.OpTransaction, sp.OpCopy),
			middleware.WithTimeoutFor(3*second, sp.OpRollback)))
		unit := sp.ContextWithCall(t.Context(), newCall(t.Context(), sp.OpTransaction, nil))
		for _, c := range []struct {
			ctx  context.Context
			op   sp.Op
			want time.Duration
		}{
			{t.Context(), sp.OpExec, second},
			{t.Context(), sp.OpTransaction, 10 * second},
			{t.Context(), sp.OpCopy, 10 * second},
			{t.Context(), sp.OpRollback, 3 * second},
			{unit, sp.OpExec, second},
			{t.Context(), sp.OpSessionFlush, second},
		} {
			inside := contextOf(c.ctx, newCall(c.ctx, c.op, nil), timeout)
			// Finished calls have no limit: ask for the time of the error instead.
			if inside == c.ctx {
				t.Errorf("%v: no limit", c.op)
			}
			start := time.Now()
			if _, err := run(c.ctx, c.op, hangs(ctxErr), timeout); !errors.Is(err, fault.ErrAttemptTimeout) {
				t.Errorf("%v: %v, want a timeout", c.op, err)
			}
			if took := time.Since(start); took != c.want {
				t.Errorf("%v: limit %v, want %v", c.op, took, c.want)
			}
		}
	})
}

func TestTimeoutRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		d    time.Duration
		opts []middleware.TimeoutOption
	}{
		"middleware: Timeout(0s): want more than 0":                                    {d: 0},
		"middleware: Timeout(-1s): want more than 0":                                   {d: -second},
		"middleware: WithTimeoutFor(-1s): want 0 or more":                              {second, one(middleware.WithTimeoutFor(-second, sp.OpExec))},
		"middleware: WithTimeoutFor: want at least one operation":                      {second, one(middleware.WithTimeoutFor(second))},
		"middleware: WithTimeoutFor(1s, unknown): want an operation that does I/O":     {second, one(middleware.WithTimeoutFor(second, sp.Op(200)))},
		"middleware: WithTimeoutFor(1s, session.add): want an operation that does I/O": {second, one(middleware.WithTimeoutFor(second, sp.OpSessionAdd))},
	} {
		i, err := middleware.Timeout(c.d, c.opts...)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Timeout = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := middleware.Timeout(second, nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}

// one returns options of which the last is o.
func one[O any](o O) []O { return []O{o} }
