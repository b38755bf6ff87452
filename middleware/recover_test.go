package middleware_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/fault"
	"github.com/sessionproxy/sessionproxy/middleware"
)

// panics returns an operation that panics with v.
func panics(v any) *script {
	return &script{do: func(context.Context, *sp.Call) error { panic(v) }}
}

func TestRecoverMakesAnErrorOfAPanic(t *testing.T) {
	t.Parallel()
	events, err := run(t.Context(), sp.OpQuery, panics("row 17 of alice"), must(t)(middleware.Recover()))
	p, ok := errors.AsType[*middleware.PanicError](err)
	if !ok || p.Value != "row 17 of alice" || p.Op != sp.OpQuery {
		t.Fatalf("error %#v, want a *PanicError", err)
	}
	if !strings.Contains(string(p.Stack), "recover_test.go") {
		t.Errorf("the stack does not show who panicked:\n%s", p.Stack)
	}
	if e, ok := eventOf(events, sp.EventPanic); !ok || e.Detail != "string" {
		t.Errorf("events %v, want the panic's", events)
	}
}

func TestThePanicsTextShowsNoData(t *testing.T) {
	t.Parallel()
	var nobody *strings.Builder
	for _, c := range []struct {
		panics func()
		want   string
	}{
		{func() { panic("secret") }, "middleware: exec: panic: string"},
		{func() { panic(errors.New("secret")) }, "middleware: exec: panic: *errors.errorString"},
		{func() { panic(runtimeLike{}) }, "middleware: exec: panic: middleware_test.runtimeLike"},
		{func() { _ = nobody.Len() }, "middleware: exec: panic: runtime.errorString: runtime error: invalid memory address or nil pointer dereference"},
		{func() { panic(nil) }, "middleware: exec: panic: *runtime.PanicNilError: panic called with nil argument"},
	} {
		op := &script{do: func(context.Context, *sp.Call) error {
			c.panics()
			return nil
		}}
		if _, err := run(t.Context(), sp.OpExec, op, must(t)(middleware.Recover())); err == nil || err.Error() != c.want {
			t.Errorf("text %q, want %q", err, c.want)
		}
	}
	if text := (&middleware.PanicError{Op: sp.OpExec}).Error(); text != "middleware: exec: panic: nil" {
		t.Errorf("without a value: %q", text)
	}
}

// runtimeLike claims to be an error of the Go runtime.
type runtimeLike struct{}

func (runtimeLike) Error() string { return "secret" }
func (runtimeLike) RuntimeError() {}

func TestAPanicIsNoOrdinaryErrorAndNeverRepeated(t *testing.T) {
	t.Parallel()
	for _, v := range []error{serialization, driver.ErrBadConn, fault.ErrPoolTimeout, context.Canceled} {
		for _, op := range []sp.Op{sp.OpExec, sp.OpQuery, sp.OpTransaction} {
			call := newCall(t.Context(), op, panics(v))
			_, err := call.Run(t.Context(), sp.NewChain(must(t)(middleware.Recover())).Then(sp.Perform))
			if errors.Is(err, v) {
				t.Errorf("%v: the panic matches %v", op, v)
			}
			want := fault.Verdict{Class: fault.ClassUnknown, Retry: fault.RetryNone}
			if got := call.Verdict(err); got.Class != want.Class || got.Retry != want.Retry {
				t.Errorf("%v: verdict %+v, want unknown, never repeated", op, got)
			}
		}
	}
}

func TestAPanicAfterAnErrorIsJudgedAnew(t *testing.T) {
	t.Parallel()
	broken := sp.InterceptorFunc(func(next sp.Handler) sp.Handler {
		return func(ctx context.Context, call *sp.Call) error {
			panic(fmt.Sprint(next(ctx, call)))
		}
	})
	call := newCall(t.Context(), sp.OpExec, returns(serialization))
	_, err := call.Run(t.Context(), sp.NewChain(must(t)(middleware.Recover()), broken).Then(sp.Perform))
	if v := call.Verdict(err); v.Retry != fault.RetryNone {
		t.Errorf("verdict %+v is that of the error that the panic replaced", v)
	}
}

func TestACommitThatPanickedIsUnknown(t *testing.T) {
	t.Parallel()
	_, err := run(t.Context(), sp.OpCommit, panics("driver"), must(t)(middleware.Recover()))
	if !errors.Is(err, sp.ErrCommitUnknown) {
		t.Errorf("error %v does not match ErrCommitUnknown", err)
	}
	if _, ok := errors.AsType[*middleware.PanicError](err); !ok {
		t.Errorf("error %v hides the panic", err)
	}
	_, err = run(t.Context(), sp.OpRollback, panics("driver"), must(t)(middleware.Recover()))
	if errors.Is(err, sp.ErrCommitUnknown) {
		t.Error("a rollback is no commit")
	}
}

func TestAnOpenResultIsThrownAwayOnAPanic(t *testing.T) {
	t.Parallel()
	op := &script{do: func(_ context.Context, call *sp.Call) error {
		call.KeepOpen()
		panic("after the rows were opened")
	}}
	finished := 0
	call := newCall(t.Context(), sp.OpQuery, op)
	call.OnFinish(func(error) { finished++ })
	open, err := call.Run(t.Context(), sp.NewChain(must(t)(middleware.Recover())).Then(sp.Perform))
	if open || err == nil || op.discarded != 1 || finished != 1 {
		t.Errorf("open %v, error %v, discarded %d, finished %d times", open, err, op.discarded, finished)
	}
}

func TestGoexitPasses(t *testing.T) {
	t.Parallel()
	var hook error
	returned := false
	done := make(chan struct{})
	recoverer := must(t)(middleware.Recover())
	go func() {
		defer close(done)
		call := newCall(t.Context(), sp.OpExec, &script{do: func(context.Context, *sp.Call) error {
			runtime.Goexit()
			return nil
		}})
		call.OnFinish(func(err error) { hook = err })
		_, _ = call.Run(t.Context(), sp.NewChain(recoverer).Then(sp.Perform))
		returned = true
	}()
	<-done
	if returned || !errors.Is(hook, sp.ErrAborted) {
		t.Errorf("returned %v, hook got %v; want the goroutine to end", returned, hook)
	}
}

func TestPanicsCanBeLetThrough(t *testing.T) {
	t.Parallel()
	recoverer := must(t)(middleware.Recover(middleware.WithoutRecoverFor(sp.OpTransaction)))
	defer func() {
		if v := recover(); v != "caller" {
			t.Errorf("recovered %v, want the caller's panic", v)
		}
	}()
	if _, err := run(t.Context(), sp.OpExec, panics("driver"), recoverer); err == nil {
		t.Error("an exec's panic was to be recovered")
	}
	_, err := run(t.Context(), sp.OpTransaction, panics("caller"), recoverer)
	t.Errorf("the unit's panic became %v", err)
}

func TestOnPanicGetsTheCallsContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	var got any
	var value any
	recoverer := must(t)(middleware.Recover(middleware.WithOnPanic(func(ctx context.Context, p *middleware.PanicError) {
		got, value = ctx.Value(key{}), p.Value
	})))
	_, _ = run(context.WithValue(t.Context(), key{}, "request 7"), sp.OpExec, panics(42), recoverer)
	if got != "request 7" || value != 42 {
		t.Errorf("reported %v of %v", value, got)
	}
}

func TestRecoverRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]middleware.RecoverOption{
		"middleware: WithoutRecoverFor: want at least one operation":                 middleware.WithoutRecoverFor(),
		"middleware: WithoutRecoverFor(unknown): want an operation of the catalogue": middleware.WithoutRecoverFor(sp.Op(60)),
		"middleware: WithOnPanic(nil): want a function":                              middleware.WithOnPanic(nil),
	} {
		i, err := middleware.Recover(o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Recover = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := middleware.Recover(nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
