package recovery_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	sp "github.com/sessionproxy/sessionproxy"
	"github.com/sessionproxy/sessionproxy/attach"
	"github.com/sessionproxy/sessionproxy/fault"

	"github.com/sessionproxy/sessionproxy/internal/linktest"
	"github.com/sessionproxy/sessionproxy/middleware/recovery"
)

func TestRecoverMakesAnErrorOfAPanic(t *testing.T) {
	t.Parallel()
	events, err := linktest.Run(t.Context(), sp.OpQuery, linktest.Panics("row 17 of alice"), linktest.Must(t)(recovery.New()))
	p, ok := errors.AsType[*recovery.PanicError](err)
	if !ok || p.Value != "row 17 of alice" || p.Op != sp.OpQuery {
		t.Fatalf("error %#v, want a *PanicError", err)
	}
	if !strings.Contains(string(p.Stack), "(*Script).Do") {
		t.Errorf("the stack does not show who panicked:\n%s", p.Stack)
	}
	if e, ok := linktest.EventOf(events, sp.EventPanic); !ok || e.Detail != "string" {
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
		{func() { panic("secret") }, "recovery: exec: panic: string"},
		{func() { panic(errors.New("secret")) }, "recovery: exec: panic: *errors.errorString"},
		{func() { panic(runtimeLike{}) }, "recovery: exec: panic: recovery_test.runtimeLike"},
		{func() { _ = nobody.Len() }, "recovery: exec: panic: runtime.errorString: runtime error: invalid memory address or nil pointer dereference"},
		{func() { panic(nil) }, "recovery: exec: panic: *runtime.PanicNilError: panic called with nil argument"},
	} {
		op := &linktest.Script{Act: func(context.Context, *sp.Call) error {
			c.panics()
			return nil
		}}
		if _, err := linktest.Run(t.Context(), sp.OpExec, op, linktest.Must(t)(recovery.New())); err == nil || err.Error() != c.want {
			t.Errorf("text %q, want %q", err, c.want)
		}
	}
	if text := (&recovery.PanicError{Op: sp.OpExec}).Error(); text != "recovery: exec: panic: nil" {
		t.Errorf("without a value: %q", text)
	}
}

// runtimeLike claims to be an error of the Go runtime.
type runtimeLike struct{}

func (runtimeLike) Error() string { return "secret" }
func (runtimeLike) RuntimeError() {}

func TestAPanicIsNoOrdinaryErrorAndNeverRepeated(t *testing.T) {
	t.Parallel()
	for _, v := range []error{linktest.ErrSerialization, driver.ErrBadConn, fault.ErrPoolTimeout, context.Canceled} {
		for _, op := range []sp.Op{sp.OpExec, sp.OpQuery, sp.OpTransaction} {
			call := linktest.NewCall(t.Context(), op, linktest.Panics(v))
			_, err := attach.Run(t.Context(), call, sp.NewChain(linktest.Must(t)(recovery.New())).Then(attach.Perform))
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
	call := linktest.NewCall(t.Context(), sp.OpExec, linktest.Returns(linktest.ErrSerialization))
	_, err := attach.Run(t.Context(), call, sp.NewChain(linktest.Must(t)(recovery.New()), broken).Then(attach.Perform))
	if v := call.Verdict(err); v.Retry != fault.RetryNone {
		t.Errorf("verdict %+v is that of the error that the panic replaced", v)
	}
}

func TestACommitThatPanickedIsUnknown(t *testing.T) {
	t.Parallel()
	_, err := linktest.Run(t.Context(), sp.OpCommit, linktest.Panics("driver"), linktest.Must(t)(recovery.New()))
	if !errors.Is(err, sp.ErrCommitUnknown) {
		t.Errorf("error %v does not match ErrCommitUnknown", err)
	}
	if _, ok := errors.AsType[*recovery.PanicError](err); !ok {
		t.Errorf("error %v hides the panic", err)
	}
	_, err = linktest.Run(t.Context(), sp.OpRollback, linktest.Panics("driver"), linktest.Must(t)(recovery.New()))
	if errors.Is(err, sp.ErrCommitUnknown) {
		t.Error("a rollback is no commit")
	}
}

func TestAnOpenResultIsThrownAwayOnAPanic(t *testing.T) {
	t.Parallel()
	op := &linktest.Script{Act: func(_ context.Context, call *sp.Call) error {
		attach.KeepOpen(call)
		panic("after the rows were opened")
	}}
	finished := 0
	call := linktest.NewCall(t.Context(), sp.OpQuery, op)
	call.OnFinish(func(error) { finished++ })
	open, err := attach.Run(t.Context(), call, sp.NewChain(linktest.Must(t)(recovery.New())).Then(attach.Perform))
	if open || err == nil || op.Discarded != 1 || finished != 1 {
		t.Errorf("open %v, error %v, discarded %d, finished %d times", open, err, op.Discarded, finished)
	}
}

func TestGoexitPasses(t *testing.T) {
	t.Parallel()
	var hook error
	returned := false
	done := make(chan struct{})
	recoverer := linktest.Must(t)(recovery.New())
	go func() {
		defer close(done)
		call := linktest.NewCall(t.Context(), sp.OpExec, &linktest.Script{Act: func(context.Context, *sp.Call) error {
			runtime.Goexit()
			return nil
		}})
		call.OnFinish(func(err error) { hook = err })
		_, _ = attach.Run(t.Context(), call, sp.NewChain(recoverer).Then(attach.Perform))
		returned = true
	}()
	<-done
	if returned || !errors.Is(hook, sp.ErrAborted) {
		t.Errorf("returned %v, hook got %v; want the goroutine to end", returned, hook)
	}
}

func TestPanicsCanBeLetThrough(t *testing.T) {
	t.Parallel()
	recoverer := linktest.Must(t)(recovery.New(recovery.WithoutFor(sp.OpTransaction)))
	defer func() {
		if v := recover(); v != "caller" {
			t.Errorf("recovered %v, want the caller's panic", v)
		}
	}()
	if _, err := linktest.Run(t.Context(), sp.OpExec, linktest.Panics("driver"), recoverer); err == nil {
		t.Error("an exec's panic was to be recovered")
	}
	_, err := linktest.Run(t.Context(), sp.OpTransaction, linktest.Panics("caller"), recoverer)
	t.Errorf("the unit's panic became %v", err)
}

func TestOnPanicGetsTheCallsContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	var got any
	var value any
	recoverer := linktest.Must(t)(recovery.New(recovery.WithReport(func(ctx context.Context, p *recovery.PanicError) {
		got, value = ctx.Value(key{}), p.Value
	})))
	_, _ = linktest.Run(context.WithValue(t.Context(), key{}, "request 7"), sp.OpExec, linktest.Panics(42), recoverer)
	if got != "request 7" || value != 42 {
		t.Errorf("reported %v of %v", value, got)
	}
}

func TestNewRefusesBadValues(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]recovery.Option{
		"recovery: WithoutFor: want at least one operation":                 recovery.WithoutFor(),
		"recovery: WithoutFor(unknown): want an operation of the catalogue": recovery.WithoutFor(sp.Op(60)),
		"recovery: WithReport(nil): want a function":                        recovery.WithReport(nil),
	} {
		i, err := recovery.New(o)
		if err == nil || err.Error() != want || i != nil {
			t.Errorf("Recover = %v, %v; want the error %q", i, err, want)
		}
	}
	if _, err := recovery.New(nil); err != nil {
		t.Errorf("a nil option is skipped, but: %v", err)
	}
}
