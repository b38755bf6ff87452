package sessionproxy_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
)

// script is an operation whose every performance is a function of the test.
type script struct {
	do        func(ctx context.Context, call *sp.Call) error
	discarded int
}

func (s *script) Do(ctx context.Context, call *sp.Call) error {
	if s.do == nil {
		return nil
	}
	return s.do(ctx, call)
}

func (s *script) Discard() { s.discarded++ }

func newCall(do func(ctx context.Context, call *sp.Call) error) (*sp.Call, *script) {
	op := &script{do: do}
	call := new(sp.Call)
	attach.Reset(call, op)
	call.Op = sp.OpExec
	return call, op
}

// note returns an interceptor that writes down its name on the way in and out.
func note(log *[]string, name string) sp.Interceptor {
	return sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			*log = append(*log, name+" in")
			err := next(ctx, call)
			*log = append(*log, name+" out")
			return err
		}
	})
}

func TestFirstInterceptorIsOutermostAndNilIsSkipped(t *testing.T) {
	t.Parallel()
	var log []string
	chain := sp.NewChain(note(&log, "a"), nil, note(&log, "b")).Append(note(&log, "c"))
	if chain.Len() != 3 {
		t.Fatalf("Len() = %d, want 3", chain.Len())
	}
	call, _ := newCall(func(context.Context, *sp.Call) error {
		log = append(log, "core")
		return nil
	})
	if _, err := attach.Run(t.Context(), call, chain.Then(attach.Perform)); err != nil {
		t.Fatal(err)
	}
	want := []string{"a in", "b in", "c in", "core", "c out", "b out", "a out"}
	if !slices.Equal(log, want) {
		t.Errorf("order %v, want %v", log, want)
	}
}

func TestAppendLeavesTheChainAsItIs(t *testing.T) {
	t.Parallel()
	var log []string
	base := sp.NewChain(note(&log, "a"))
	one, two := base.Append(note(&log, "b")), base.Append(note(&log, "c"))
	if base.Len() != 1 || one.Len() != 2 || two.Len() != 2 {
		t.Fatalf("lengths %d %d %d, want 1 2 2", base.Len(), one.Len(), two.Len())
	}
	call, _ := newCall(nil)
	if _, err := attach.Run(t.Context(), call, one.Then(attach.Perform)); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(log, "c in") {
		t.Errorf("appending to a chain changed another made from the same one: %v", log)
	}
}

func TestWrapRunsOncePerComposition(t *testing.T) {
	t.Parallel()
	wraps := 0
	chain := sp.NewChain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		wraps++
		return next
	}))
	h := chain.Then(attach.Perform)
	for range 10 {
		call, _ := newCall(nil)
		if _, err := attach.Run(t.Context(), call, h); err != nil {
			t.Fatal(err)
		}
	}
	if wraps != 1 {
		t.Errorf("Wrap ran %d times, want once", wraps)
	}
}

// refuser is an interceptor that admits nothing.
type refuser struct{ err error }

func (refuser) Wrap(next sp.Handler) sp.Handler             { return next }
func (r refuser) Admit(_ context.Context, _ *sp.Call) error { return r.err }

func TestAdmitReturnsTheOutermostRefusal(t *testing.T) {
	t.Parallel()
	first, second := errors.New("first"), errors.New("second")
	call, _ := newCall(nil)
	if err := (sp.Chain{}).Admit(t.Context(), call); err != nil {
		t.Errorf("the empty chain refused: %v", err)
	}
	chain := sp.NewChain(refuser{}, refuser{first}, refuser{second})
	if err := chain.Admit(t.Context(), call); !errors.Is(err, first) {
		t.Errorf("Admit() = %v, want %v", err, first)
	}
}

func TestAnInterceptorMayRefuseACall(t *testing.T) {
	t.Parallel()
	refusal := errors.New("no")
	chain := sp.NewChain(sp.InterceptorFunc(func(sp.Handler) sp.Handler {
		return func(context.Context, *sp.Call) error { return refusal }
	}))
	performed := false
	call, _ := newCall(func(context.Context, *sp.Call) error { performed = true; return nil })
	if open, err := attach.Run(t.Context(), call, chain.Then(attach.Perform)); open || !errors.Is(err, refusal) {
		t.Errorf("Run() = %v, %v; want the refusal", open, err)
	}
	if performed {
		t.Error("a refused call was performed")
	}
}

func TestOneHandlerServesManyGoroutines(t *testing.T) {
	t.Parallel()
	h := sp.NewChain(sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			finished := 0
			call.OnFinish(func(error) { finished++ })
			err := next(ctx, call)
			if finished != 0 {
				t.Error("finished before the handler returned")
			}
			return err
		}
	})).Then(attach.Perform)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			call, op := new(sp.Call), &script{}
			for range 1000 {
				attach.Reset(call, op)
				if _, err := attach.Run(context.Background(), call, h); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
