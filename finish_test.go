package sessionproxy_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"pgregory.net/rapid"
)

var errDB = errors.New("database failed")

// hooked returns an interceptor that registers a finish hook.
func hooked(hook func(error)) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			call.OnFinish(hook)
			return next(ctx, call)
		}
	})
}

// attempts returns an interceptor that tries a call up to n times.
func attempts(n int) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) (err error) {
			for range n {
				if err = call.Try(ctx, next); err == nil {
					return nil
				}
			}
			return err
		}
	})
}

func TestHooksRunLastFirstWithTheCallsError(t *testing.T) {
	t.Parallel()
	var log []string
	hook := func(name string) sp.Interceptor {
		return hooked(func(err error) {
			if !errors.Is(err, errDB) {
				t.Errorf("hook %s got %v", name, err)
			}
			log = append(log, name)
		})
	}
	call, _ := newCall(func(context.Context, *sp.Call) error { return errDB })
	h := sp.NewChain(hook("outer"), hook("inner")).Then(attach.Perform)
	if _, err := attach.Run(t.Context(), call, h); !errors.Is(err, errDB) {
		t.Fatal(err)
	}
	if want := []string{"inner", "outer"}; !slices.Equal(log, want) {
		t.Errorf("hooks ran %v, want %v", log, want)
	}
}

func TestACallWithRowsFinishesWhenTheyClose(t *testing.T) {
	t.Parallel()
	var got []error
	call, _ := newCall(func(_ context.Context, c *sp.Call) error { attach.KeepOpen(c); return nil })
	open, err := attach.Run(t.Context(), call, sp.NewChain(hooked(func(err error) { got = append(got, err) })).Then(attach.Perform))
	if !open || err != nil || len(got) != 0 {
		t.Fatalf("Run() = %v, %v with hooks run %v; want an open call", open, err, got)
	}
	if !attach.Finish(call, errDB) || attach.Finish(call, nil) {
		t.Error("only the first Finish may count")
	}
	if len(got) != 1 || !errors.Is(got[0], errDB) {
		t.Errorf("hooks got %v, want the rows' error once", got)
	}
}

func TestRowsThatEndBeforeTheHandlerReturnsFinishTheCallThere(t *testing.T) {
	t.Parallel()
	var got []error
	call, _ := newCall(func(_ context.Context, c *sp.Call) error {
		attach.KeepOpen(c)
		if attach.Finish(c, errDB) {
			t.Error("hooks ran while handlers were at work")
		}
		return nil
	})
	open, err := attach.Run(t.Context(), call, sp.NewChain(hooked(func(err error) { got = append(got, err) })).Then(attach.Perform))
	if open || err != nil || len(got) != 1 || !errors.Is(got[0], errDB) {
		t.Errorf("Run() = %v, %v with hooks %v; want a finished call", open, err, got)
	}
}

func TestFinishRacesWithTheHandlersReturn(t *testing.T) {
	t.Parallel()
	for range 2000 {
		var runs atomic.Int32
		var closer sync.WaitGroup
		call, _ := newCall(func(_ context.Context, c *sp.Call) error {
			attach.KeepOpen(c)
			closer.Go(func() { attach.Finish(c, context.Canceled) })
			return nil
		})
		h := sp.NewChain(hooked(func(error) { runs.Add(1) })).Then(attach.Perform)
		if _, err := attach.Run(context.Background(), call, h); err != nil {
			t.Fatal(err)
		}
		closer.Wait()
		if n := runs.Load(); n != 1 {
			t.Fatalf("hook ran %d times", n)
		}
	}
}

func TestAPanicFinishesTheCallAndPasses(t *testing.T) {
	t.Parallel()
	var got []error
	call, op := newCall(func(_ context.Context, c *sp.Call) error { attach.KeepOpen(c); return nil })
	h := sp.NewChain(hooked(func(err error) { got = append(got, err) }), sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			_ = next(ctx, call)
			panic("boom")
		}
	})).Then(attach.Perform)
	defer func() {
		if recover() != "boom" {
			t.Error("the panic did not pass")
		}
		if len(got) != 1 || !errors.Is(got[0], sp.ErrAborted) {
			t.Errorf("hooks got %v, want ErrAborted once", got)
		}
		if op.discarded != 1 {
			t.Errorf("the open result was discarded %d times, want once", op.discarded)
		}
	}()
	_, _ = attach.Run(t.Context(), call, h)
}

func TestGoexitFinishesTheCall(t *testing.T) {
	t.Parallel()
	got := make(chan error, 2)
	go func() {
		call, _ := newCall(func(context.Context, *sp.Call) error { runtime.Goexit(); return nil })
		_, _ = attach.Run(context.Background(), call, sp.NewChain(hooked(func(err error) { got <- err })).Then(attach.Perform))
	}()
	if err := <-got; !errors.Is(err, sp.ErrAborted) {
		t.Errorf("hook got %v, want ErrAborted", err)
	}
}

func TestAFailedAttemptsHooksRunBeforeTheNextAttempt(t *testing.T) {
	t.Parallel()
	var log []string
	n := 0
	call, _ := newCall(func(_ context.Context, c *sp.Call) error {
		n++
		log = append(log, "perform")
		if c.Attempt() != n || !c.Retried() {
			t.Errorf("attempt %d, retried %v; want %d, true", c.Attempt(), c.Retried(), n)
		}
		if n < 3 {
			return errDB
		}
		attach.KeepOpen(c)
		return nil
	})
	h := sp.NewChain(
		hooked(func(error) { log = append(log, "call") }),
		attempts(5),
		hooked(func(err error) {
			if err != nil {
				log = append(log, "attempt failed")
				return
			}
			log = append(log, "attempt")
		}),
	).Then(attach.Perform)
	if open, err := attach.Run(t.Context(), call, h); !open || err != nil {
		t.Fatal(open, err)
	}
	attach.Finish(call, nil)
	want := []string{"perform", "attempt failed", "perform", "attempt failed", "perform", "attempt", "call"}
	if !slices.Equal(log, want) {
		t.Errorf("got %v, want %v", log, want)
	}
}

func TestAResultRefusedAfterwardsIsDiscarded(t *testing.T) {
	t.Parallel()
	call, op := newCall(func(_ context.Context, c *sp.Call) error { attach.KeepOpen(c); return nil })
	refuse := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			if err := next(ctx, call); err != nil {
				return err
			}
			return errDB
		}
	})
	if open, err := attach.Run(t.Context(), call, sp.NewChain(attempts(3), refuse).Then(attach.Perform)); open || !errors.Is(err, errDB) {
		t.Fatal(open, err)
	}
	if op.discarded != 3 {
		t.Errorf("%d results discarded, want one per attempt", op.discarded)
	}
}

// TestEveryHookRunsExactlyOnce drives random chains of hooks, attempts and
// refusals over random outcomes.
func TestEveryHookRunsExactlyOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		registered, ran := 0, 0
		var links []sp.Interceptor
		for range rapid.IntRange(0, 6).Draw(t, "links") {
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				links = append(links, attempts(rapid.IntRange(1, 3).Draw(t, "tries")))
			case 1:
				links = append(links, sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
					return func(ctx context.Context, call *sp.Call) error {
						registered++
						done := false
						call.OnFinish(func(error) {
							if done {
								t.Error("a hook ran twice")
							}
							done = true
							ran++
						})
						return next(ctx, call)
					}
				}))
			case 2:
				outcome := rapid.IntRange(0, 3).Draw(t, "refuse")
				links = append(links, sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
					return func(ctx context.Context, call *sp.Call) error {
						err := next(ctx, call)
						if outcome == 0 {
							panic(errDB)
						}
						if outcome == 1 && err == nil {
							return errDB
						}
						return err
					}
				}))
			}
		}
		outcomes := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 8).Draw(t, "outcomes")
		call, _ := newCall(func(_ context.Context, c *sp.Call) error {
			o := outcomes[0]
			if len(outcomes) > 1 {
				outcomes = outcomes[1:]
			}
			switch o {
			case 0:
				return errDB
			case 1:
				attach.KeepOpen(c)
			case 2:
				panic(errDB)
			}
			return nil
		})
		open := func() bool {
			defer func() { _ = recover() }()
			open, _ := attach.Run(context.Background(), call, sp.NewChain(links...).Then(attach.Perform))
			return open
		}()
		if open {
			attach.Finish(call, nil)
		}
		if registered != ran {
			t.Errorf("%d hooks registered, %d ran", registered, ran)
		}
	})
}

func TestAHookMayCallFinish(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{false, true} {
		ran := 0
		call, _ := newCall(func(_ context.Context, c *sp.Call) error {
			attach.KeepOpen(c)
			if early && attach.Finish(c, errDB) {
				t.Error("Finish ran the hooks while the handlers are at work")
			}
			return nil
		})
		again := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
			return func(ctx context.Context, call *sp.Call) error {
				call.OnFinish(func(error) {
					if ran++; attach.Finish(call, nil) {
						t.Error("Finish ran the hooks inside a hook")
					}
				})
				return next(ctx, call)
			}
		})
		open, err := attach.Run(t.Context(), call, sp.NewChain(again, again).Then(attach.Perform))
		if open == early || err != nil {
			t.Errorf("Run() = %v, %v", open, err)
		}
		if open && !attach.Finish(call, errDB) {
			t.Error("Finish did not run the hooks")
		}
		if ran != 2 || attach.Finish(call, nil) {
			t.Errorf("%d hooks ran, or a second Finish counts", ran)
		}
	}
}
